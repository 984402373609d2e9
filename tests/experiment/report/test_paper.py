from __future__ import annotations

from uteroseg.experiment.report.blocks import Note, Section
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.paper import REPORTED, beside_paper, matching

from .sections import heads_of, note_of, rows_of, table_of, with_analysis, with_records


def test_the_paper_s_table_is_what_it_printed() -> None:
    assert [(row.cases, row.pooled) for row in REPORTED] == [
        (0, 0.43), (5, 0.57), (13, 0.62), (26, 0.68), (51, 0.70), (128, 0.71), (256, 0.81)
    ]  # fmt: skip
    assert REPORTED[-1].source == 0.91


def test_ours_stand_beside_the_paper_s_and_are_said_to_be_other_data(several: Context) -> None:
    section = beside_paper(with_records(several, target_patients=256))
    table = table_of(section)
    assert heads_of(table)[1] == ["Cases", "DSC", "encoder-early", "all", "default", "joint"]
    rows = rows_of(section)
    assert [row[0] for row in rows] == ["0", "5", "13", "26", "128", "256"]
    assert rows[-1][1:3] == ["256 (100 %)", "0.81"]
    mean = several.summary.set_index(["strategy", "target_cases", "test_set"])["dsc_mean"]
    assert rows[-1][-1] == f"{mean['joint', 256, 'pooled']:.2f}"
    assert f"reached 0.91 ({mean['joint', 256, 'source']:.2f} here)" in note_of(section)
    assert label_of(section).startswith("Different data")
    assert "calibrated to" in label_of(section)


def test_real_patients_are_other_patients(several: Context) -> None:
    real = with_records(several, virtual=False)
    assert "virtual" not in label_of(beside_paper(real))
    assert "to bladder" in label_of(beside_paper(with_records(real, target_cohort="bladder")))


def label_of(section: Section) -> str:
    (label,) = [block.text for block in section.blocks if isinstance(block, Note) and block.style != "note"]
    return label


def test_shares_are_matched_where_the_number_of_cases_is_known() -> None:
    assert matching(10, 100) == REPORTED[3]
    assert matching(10, None) is None
    assert matching(26, None) == REPORTED[3]
    assert matching(0, 100) == REPORTED[0]


def test_without_the_paper_s_shares_there_is_no_comparison(several: Context) -> None:
    start = several.summary[several.summary["target_cases"] == 0]
    assert beside_paper(with_analysis(several, summary=start)).blocks == ()
    assert beside_paper(with_records(several, target_patients=7)).blocks == ()
