from __future__ import annotations

from uteroseg import RESEARCH_USE
from uteroseg.experiment.report.checklist import checklist
from uteroseg.experiment.report.context import Context

from .sections import rows_of, with_records


def answers(context: Context) -> dict[int, tuple[str, str]]:
    """What the record says of each item, and what is left to the author."""
    return {
        int(number): (text.removeprefix("–"), left.removeprefix("–"))
        for number, _, text, left in rows_of(checklist(context))
    }


def test_every_item_has_an_answer_or_is_left_to_the_author(several: Context) -> None:
    found = answers(several)
    assert list(found) == list(range(1, 45))
    assert all(text or left for text, left in found.values())
    assert found[44] == ("", "all of it"), "funding: no record can know"


def test_the_table_beside_the_report_holds_the_same(several: Context) -> None:
    section = checklist(several)
    file = section.files["claim"]
    assert [[str(n), *rest] for n, _, *rest in file.itertuples(index=False)] == [
        [cell.removeprefix("–") for cell in row] for row in rows_of(section)
    ]
    assert file["part"].nunique() == 14


def test_what_the_record_knows_is_filled_in(several: Context) -> None:
    found = {number: text for number, (text, _) in answers(several).items()}
    assert "5, 13, 26, 128, 256 uterine cases" in found[10]
    assert "uterine: up to 256 to train on, 24 to test on" in found[19]
    assert "12 cervical patients and 24 uterine patients" in found[21]
    assert "torch 2.11.0" in found[23]
    assert "AdamW" in found[25]
    assert found[30].startswith("2 seeds")
    assert found[41] == RESEARCH_USE


def test_real_patients_leave_more_to_the_author(several: Context) -> None:
    found = answers(with_records(several, virtual=False, settings={}, steps=0))
    for number in (5, 8, 9, 11, 13, 14, 15, 16, 17, 18, 20, 22, 24, 25, 26, 34, 40):
        assert found[number] == ("", "all of it")
    assert "irtual" not in " ".join(text for text, _ in found.values())
