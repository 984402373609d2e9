from __future__ import annotations

from dataclasses import replace

from uteroseg import RESEARCH_USE
from uteroseg.experiment.analysis import Analysis
from uteroseg.experiment.records import Experiment, FinishedRun
from uteroseg.experiment.report.checklist import checklist


def answers(experiment: Experiment, analysis: Analysis) -> dict[int, tuple[str, str]]:
    return {row.item.number: (row.answer.text, row.answer.left) for row in checklist(experiment, analysis)}


def test_every_item_has_an_answer_or_is_left_to_the_author(several: Experiment, analysis: Analysis) -> None:
    found = answers(several, analysis)
    assert list(found) == list(range(1, 45))
    assert all(text or left for text, left in found.values())
    assert found[44] == ("", "all of it"), "funding: no record can know"


def test_what_the_record_knows_is_filled_in(several: Experiment, analysis: Analysis) -> None:
    found = {number: text for number, (text, _) in answers(several, analysis).items()}
    assert "5, 13, 26, 128, 256 uterine cases" in found[10]
    assert "uterine: up to 256 to train on, 24 to test on" in found[19]
    assert "12 cervical patients and 24 uterine patients" in found[21]
    assert "torch 2.11.0" in found[23]
    assert "AdamW" in found[25]
    assert found[30].startswith("2 seeds")
    assert found[41] == RESEARCH_USE


def test_real_patients_leave_more_to_the_author(several: Experiment, analysis: Analysis) -> None:
    runs = tuple(
        FinishedRun(run.folder, run.record.model_copy(update={"virtual": False, "settings": {}, "steps": 0}))
        for run in several.runs
    )
    found = answers(replace(several, runs=runs), analysis)
    for number in (5, 8, 9, 11, 13, 14, 15, 16, 17, 18, 20, 22, 24, 25, 26, 34, 40):
        assert found[number] == ("", "all of it")
    assert "irtual" not in " ".join(text for text, _ in found.values())
