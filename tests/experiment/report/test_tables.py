from __future__ import annotations

from pathlib import Path

import pytest

from uteroseg.experiment.records import read_experiment
from uteroseg.experiment.report.tables import case_rows, strata_rows
from uteroseg.experiment.summary import stratify


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
