from __future__ import annotations

from pathlib import Path

import pytest

from uteroseg.report.tables import case_rows, comparison_rows, strata_rows, summary_rows
from uteroseg.report.wording import p_value
from uteroseg.results.comparisons import compare_with_none
from uteroseg.results.experiment import read_experiment
from uteroseg.results.strata import stratify
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
    assert cell.median == f"{pooled['dsc_median']:.2f}"
    assert cell.missed == f"{pooled['missed_tumours']:.0f} of 24"


def test_a_test_set_without_patients_has_an_empty_cell(experiment: Path) -> None:
    cases = read_experiment(experiment).cases
    rows = summary_rows(summarise(cases[cases["test_set"] == "target"]))
    assert [cell is None for cell in rows[0].cells] == [True, False, False]


def test_comparisons_have_a_row_per_number_of_cases_with_forgetting_beside_it(experiment: Path) -> None:
    table = compare_with_none(read_experiment(experiment).cases)
    rows = comparison_rows(table)
    assert [(row.strategy, row.target_cases) for row in rows] == [("early_encoder", n) for n in (2, 5, 13)]
    last = table[(table["target_cases"] == 13)].set_index("test_set")
    assert rows[-1].pooled.mean == f"+{last['difference']['pooled']:.2f}"
    assert rows[-1].pooled.interval == (
        f"+{last['difference_low']['pooled']:.2f} to +{last['difference_high']['pooled']:.2f}"
    )
    assert rows[-1].effect == f"+{last['effect']['pooled']:.2f}"
    assert (rows[-1].p, rows[-1].p_holm) == ("< 0.001", "< 0.001")
    first = table[(table["target_cases"] == 2)].set_index("test_set")
    assert rows[0].median == f"+{first['difference_median']['pooled']:.2f}"
    assert (rows[0].p, rows[0].p_holm) == tuple(p_value(first[name]["pooled"]) for name in ("p", "p_holm"))
    assert rows[-1].source is not None
    assert rows[-1].source.mean == f"−{-last['difference']['source']:.2f}"


def test_without_source_patients_there_is_no_forgetting_to_show(experiment: Path) -> None:
    cases = read_experiment(experiment).cases
    assert comparison_rows(compare_with_none(cases[cases["test_set"] == "target"]))[0].source is None


def test_strata_have_a_column_per_number_of_cases(experiment: Path) -> None:
    cases = read_experiment(experiment).cases
    sizes, strata = strata_rows(stratify(cases), "early_encoder")
    assert sizes == [0, 2, 5, 13]
    assert list(strata) == ["histology", "volume"]
    assert [(row.stratum, row.patients) for row in strata["histology"]] == [
        ("carcinosarcoma", 8),
        ("endometrioid", 8),
        ("squamous", 8),
    ]
    squamous = cases[(cases["histology"] == "squamous") & (cases["target_cases"] == 13)]
    assert strata["histology"][2].cells[3] is not None
    assert strata["histology"][2].cells[3][0] == f"{squamous['dsc'].mean():.2f}"
    assert strata_rows(stratify(cases.iloc[:1]), "early_encoder") == ([], {})


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
