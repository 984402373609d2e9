from __future__ import annotations

from pathlib import Path

import pytest

from uteroseg.report.tables import case_rows, summary_rows
from uteroseg.results.experiment import read_experiment
from uteroseg.results.summary import summarise


def test_the_summary_has_a_row_per_number_of_cases_and_a_cell_per_test_set(experiment: Path) -> None:
    table = summarise(read_experiment(experiment).cases)
    rows = summary_rows(table)
    assert [(row.strategy, row.target_cases) for row in rows] == [
        ("source_only", 0),
        ("early_encoder", 2),
        ("early_encoder", 5),
        ("early_encoder", 13),
    ]
    pooled = table[(table["target_cases"] == 13) & (table["test_set"] == "pooled")].iloc[0]
    cell = rows[-1].cells[2]
    assert cell is not None
    assert cell.mean == f"{pooled['dsc_mean']:.2f}"
    assert cell.interval == f"{pooled['dsc_low']:.2f}–{pooled['dsc_high']:.2f}"
    assert cell.missed == f"{pooled['missed_tumours']:.0f} of 24"


def test_a_test_set_without_patients_has_an_empty_cell(experiment: Path) -> None:
    cases = read_experiment(experiment).cases
    rows = summary_rows(summarise(cases[cases["test_set"] == "target"]))
    assert [cell is None for cell in rows[0].cells] == [True, False, False]


def test_every_case_is_listed_once_the_worst_first(experiment: Path) -> None:
    cases = read_experiment(experiment).cases
    sizes, rows = case_rows(cases, "early_encoder")
    assert sizes == [0, 2, 5, 13]
    assert sorted(row.case for row in rows) == sorted(set(cases["case"]))
    last = [row.dsc[-1] for row in rows]
    assert last == sorted(last, key=lambda dsc: dsc or 0.0)
    one = cases[(cases["case"] == rows[0].case) & (cases["target_cases"] == 5)].iloc[0]
    assert rows[0].dsc[2] == pytest.approx(one["dsc"])
    assert rows[0].volume_ml == pytest.approx(one["volume_ml"])
