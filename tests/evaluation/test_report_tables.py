import re

import pytest

from tests.evaluation.rows import row
from uteroseg.evaluation.report import (
    AGREEMENT_HEADS,
    HEADS,
    agreement_rows_of,
    escaped,
    latex,
    markdown,
    notes_of,
    rows_of,
)
from uteroseg.evaluation.summary import summarise

ROWS = [
    row("a", 4, 3, cohort="cervical_a"),
    row("b", 4, 4, cohort="cervical_a"),
    row("c", 2, 0),
    row("d", 0, 2),
]


def summary(rows=ROWS, **others):
    return {**summarise(rows, tolerance_mm=2), **others}


def with_reader():
    read = summarise([row("a", 4, 4), row("b", 4, 3), row("c", 2, 2)], tolerance_mm=2)
    return summary(readers={"R2": {"groups": read["groups"], "agreement": read["agreement"]}})


def test_a_row_for_each_cohort_and_all_patients():
    cells = rows_of(summary())
    assert [(name, patients) for name, patients, *_ in cells] == [
        ("cervical_a", "2"),
        ("uterine", "2"),
        ("pooled", "4"),
    ]
    assert {len(line) for line in cells} == {len(HEADS)}
    pooled = dict(zip(HEADS, cells[-1], strict=True))
    assert re.fullmatch(r"0\.46 \(0\.\d\d to 0\.\d\d\)\*?", pooled["DSC"])
    assert pooled["Missed tumours"] == "1 of 3"
    assert pooled["False-positive components"] == "1"
    uterine = dict(zip(HEADS, cells[1], strict=True))
    assert uterine["DSC"] == "0.00 (0.00 to 0.00)*"
    assert uterine["HD95, mm"] == "31.3 (31.3)"
    assert rows_of(summary([row("a", 4, 3)]))[0][2] == "0.86", "one patient has no interval"
    volume = dict(zip(HEADS, cells[0], strict=True))["Volume error, mL"]
    assert volume.startswith("−0.1 (−0.1 to 0.0)")


def test_nothing_measured_is_a_table_that_says_so():
    (cells,) = rows_of(summary([]))
    assert cells[:3] == ["pooled", "0", "–"]
    assert "In 0 of 0 cases" in markdown(summary([]))
    assert latex(summary([])).count(r"\begin{tabular}") == 1


def test_another_reader_stands_beside_the_model():
    told = with_reader()
    assert rows_of(told)[-1][:3] == [
        "pooled, reader R2 against the truth",
        "3",
        "0.95 (0.86 to 1.00)",
    ]
    cells = agreement_rows_of(told)
    assert {len(line) for line in cells} == {len(AGREEMENT_HEADS)}
    volume = [line for line in cells if line[0] == "volume, mL"]
    assert [line[1:4] for line in volume] == [["automatic", "4", "0"], ["reader R2", "3", "0"]]
    adc = [line for line in cells if line[0].startswith("mean ADC")]
    assert [line[1:4] for line in adc] == [["automatic", "2", "2"], ["reader R2", "3", "0"]]
    assert adc[0][4] == "–"
    assert adc[0][6] == "–"
    bias = told["readers"]["R2"]["agreement"]["pooled"]["volume_ml"]["bland_altman"]["bias"]
    assert volume[1][5].startswith(f"−{-bias:.2f} (")
    for text in (markdown(told), latex(told)):
        assert "pooled, reader R2 against the truth" in text
        assert text.count("reader R2") == 1 + 8


def test_the_notes_say_what_is_empty_free_of_tumour_and_virtual():
    notes = notes_of(summary(patients="All made up."))
    assert any(note.startswith("In 2 of 4 cases exactly one mask was empty") for note in notes)
    (free,) = (note for note in notes if note.startswith("Patients without a tumour: 1;"))
    assert free.endswith("is 1.00.")
    assert notes[-2] == "All made up."
    assert notes[-1].startswith("Research use")
    assert not any("without a tumour:" in note for note in notes_of(summary(ROWS[:2])))


def test_markdown_has_whole_tables():
    tables = [part for part in markdown(with_reader()).split("\n\n") if part.startswith("|")]
    assert len(tables) == 2
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert set(table.splitlines()[1]) == set("|- ")


def plain(text):
    """Text without what LaTeX reads as a command."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    return re.sub(r"\\[&%$#_{}]|\\textbackslash\{\}|\$[^$]*\$", "", text)


def test_latex_holds_nothing_that_plain_pdflatex_would_stop_at():
    rows = [row(name, 2, 3, cohort="a_b & c|50% #1 {x}~^\\$") for name in "abc"]
    text = latex(summary(rows, readers=with_reader()["readers"]))
    assert text.isascii()
    assert r"a\_b \& c$|$50\% \#1 \{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}\$" in text
    assert "10$^{-3}$ mm$^{2}$/s" in text
    body = plain(text)
    assert not set("%#_$^~|<>") & set(body)
    for line in body.splitlines():
        if "&" in line:
            assert line.count("&") in (len(HEADS) - 1, len(AGREEMENT_HEADS) - 1)
            assert line.endswith(r" \\")
    assert re.findall(r"\\(\w+)", body) == [
        *["begin", "toprule", "midrule", *["textasciitilde", "textasciicircum"], "bottomrule", "end"],
        *["begin", "toprule", "midrule", "bottomrule", "end"],
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("50 % & {a_b}", r"50 \% \& \{a\_b\}"),
        ("−1.0 – a’s", "$-$1.0 -- a's"),
        ("10⁻³ mm²/s", "10$^{-3}$ mm$^{2}$/s"),
        ("a\\b", r"a\textbackslash{}b"),
    ],
)
def test_signs_are_escaped(text, written):
    assert escaped(text) == written
