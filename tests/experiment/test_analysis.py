from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uteroseg import RESEARCH_USE
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.experiment.analysis import analyse, document
from uteroseg.experiment.results import read_experiment

from .test_results import write_run_folder


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Any]:
    for run, size, gain in (("a", 0, 0.0), ("b", 5, 0.3)):
        rows = [
            {"case": f"t{n}", "participant": f"t{n}", "dsc": 0.1 * n + gain, "volume_ml": 2.0 * n}
            for n in range(1, 5)
        ]
        source = {"case": "s1", "participant": "s1", "test_set": "source", "cohort": "cervical", "dsc": 0.8}
        write_run_folder(tmp_path, run, rows=[*rows, source], target_cases=size)
    experiment = read_experiment(tmp_path)
    text = json.dumps(document(experiment, analyse(experiment)), allow_nan=False)
    return dict(json.loads(text))


def test_the_document_states_its_rules(found: dict[str, Any]) -> None:
    assert found["notice"] == RESEARCH_USE
    assert found["virtual_patients"] is True
    assert found["empty_masks"] == EMPTY_RULE
    assert "the patient" in found["unit"]
    assert "BCa" in found["intervals"]
    assert (found["source_cohort"], found["target_cohort"]) == ("cervical", "uterine")


def test_the_document_holds_every_figure_and_none_where_there_is_none(found: dict[str, Any]) -> None:
    cells = {(cell["target_cases"], cell["test_set"]): cell for cell in found["dsc"]}
    assert cells[5, "pooled"]["dsc_mean"] == pytest.approx((0.4 + 0.5 + 0.6 + 0.7 + 0.8) / 5)
    assert cells[5, "target"]["dsc_interval"] == "BCa"
    assert (cells[5, "source"]["dsc_low"], cells[5, "source"]["dsc_interval"]) == (None, "none")


def test_the_document_defines_the_family_of_tests(found: dict[str, Any]) -> None:
    comparisons = found["comparisons"]
    assert "each number of uterine cases (5) against none" in comparisons["family"]
    assert "Holm" in comparisons["method"]
    by_set = {row["test_set"]: row for row in comparisons["dsc"]}
    assert by_set["pooled"]["p_holm"] == by_set["pooled"]["p"] == pytest.approx(0.125)
    assert by_set["source"]["p"] is None
    assert by_set["source"]["difference"] == 0


def test_the_document_has_the_strata_and_where_volume_is_cut(found: dict[str, Any]) -> None:
    strata = found["strata"]
    assert strata["volume_tertiles_ml"] == pytest.approx([2 + 8 / 3, 2 + 16 / 3], abs=1)
    assert {row["by"] for row in strata["dsc"]} == {"volume"}
    assert {row["target_cases"] for row in strata["dsc"]} == {0, 5}
