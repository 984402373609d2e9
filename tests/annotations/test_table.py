"""Tables as offices write them."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uteroseg.annotations.regions import Choice
from uteroseg.annotations.table import read_table
from uteroseg.errors import UserError


def table(folder, text, encoding="utf-8"):
    folder.mkdir(exist_ok=True)
    for name in ("m.nii.gz", "Maske größer.nrrd", "a,b;c.dcm"):
        (folder / name).touch()
    (folder / "t.csv").write_bytes(text.encode(encoding))
    return read_table(folder / "t.csv", Choice(name="GTV")).rows


def shown(rows):
    return [
        (row.study, row.mask and row.mask.name, row.choice, row.reader, dict(row.clinical)) for row in rows
    ]


EXPECTED = [
    ("first", "m.nii.gz", Choice(number=2), "Dr. Müller", {"histology": "serous", "figo_stage": "IB"}),
    ("1.2.3.4", "Maske größer.nrrd", Choice(name="Tumor"), "", {"histology": "clear cell"}),
    ("sub/b", "a,b;c.dcm", Choice(name="GTV"), "", {}),
    ("c", None, Choice(name="GTV"), "B", {}),
    ("d", "m.nii.gz", Choice(no_tumour=True), "", {}),
]
CELLS = [
    {
        "study": "first",
        "mask": "m.nii.gz",
        "label": "2",
        "reader": "Dr. Müller",
        "histology": "serous",
        "figo stage": "IB",
    },
    {"study": "1.2.3.4", "mask": "Maske größer.nrrd", "label": "Tumor", "histology": "clear cell"},
    {"study": "sub/b", "mask": "a,b;c.dcm"},
    {"study": "c", "mask": "none", "reader": "B"},
    {"study": "d", "mask": "m.nii.gz", "label": "None"},
]
SPELT = {"study": ["study", "Study", " STUDY "], "figo stage": ["FIGO stage", "figo  Stage"]}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_separators_encodings_and_the_order_of_columns_do_not_matter(tmp_path_factory, data):
    separator = data.draw(st.sampled_from(",;\t|"))
    columns = data.draw(st.permutations(["study", "mask", "label", "reader", "histology", "figo stage", ""]))
    quoted, spaced = data.draw(st.booleans()), data.draw(st.booleans())

    def written(cell):
        if quoted or separator in cell:
            cell = f'"{cell}"'
        return f" {cell} " if spaced else cell

    header = [data.draw(st.sampled_from(SPELT.get(name, [name, name.title()]))) for name in columns]
    lines = [header, *([row.get(name, "") for name in columns] for row in CELLS)]
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = end.join(separator.join(map(written, line)) for line in lines)
    if data.draw(st.booleans()):
        text = f"sep={separator}{end}{text}"
    text += end + data.draw(st.sampled_from(["", end, separator * 6 + end]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"]))
    assert shown(table(tmp_path_factory.mktemp("t"), text, encoding)) == EXPECTED


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Patient;Maske\nfirst;m.nii.gz\n", r"t\.csv has the columns Patient; Maske"),
        ("", "has the columns of no table"),
        ("study,mask,mask\nfirst,m.nii.gz,m.nii.gz\n", "has the columns study; mask; mask"),
        ("study,mask\nfirst,m.nii.gz,3\n", "has more cells than columns in line 2"),
        ("study,mask\n\nfirst,gone.nii\n", r"a mask that does not exist in line 3 \(gone.nii\)"),
        ("study,mask\nfirst,\n", "names no study or a mask that does not exist in line 2"),
        ("study,mask\n,m.nii.gz\n", "names no study"),
        ("study,mask\nfirst,m.nii.gz\nfirst/,none\n", "names first twice, in lines 2 and 3"),
        (
            "study,mask,label\nfirst,m.nii.gz,GTV\n",
            "has the label 'GTV' in line 2, no number, and m.nii.gz names none",
        ),
        ('study,mask,histology\nfirst,m.nii.gz,"serous\nsecond,m.nii.gz,clear\n', "cannot be read as text"),
        ("PK\x03\x04\x14\0\x06\0", "may be a spreadsheet"),
        (f"study,mask\nfirst,{'x' * 5000}\n", "a mask that does not exist in line 2"),
    ],
)
def test_what_does_not_fit_is_named(text, found, tmp_path):
    with pytest.raises(UserError, match=found):
        table(tmp_path / "t", text)


@pytest.mark.parametrize(("label", "number"), [("1.0", 1), ("2", 2), ("1,6857", 1.6857), ("-1", -1)])
def test_a_label_that_is_a_number_chooses_by_it(label, number, tmp_path):
    (row,) = table(tmp_path / "t", f"study;mask;label\nfirst;m.nii.gz;{label}\n")
    assert row.choice == Choice(number=number)


def test_paths_are_relative_absolute_or_written_on_windows(tmp_path):
    (tmp_path / "t/masks").mkdir(parents=True)
    (tmp_path / "t/masks/x.nrrd").touch()
    text = f"study,mask\na,masks\\x.nrrd\nb,{tmp_path}/t/masks/x.nrrd\nc,masks/x.nrrd\nd,.\\masks\\x.nrrd\n"
    assert {row.mask.resolve() for row in table(tmp_path / "t", text)} == {
        (tmp_path / "t/masks/x.nrrd").resolve()
    }


def test_a_name_in_the_bytes_of_another_encoding_is_found(tmp_path):
    (tmp_path / "t").mkdir()
    name = os.fsdecode("größe.nrrd".encode("cp1252"))
    try:
        (tmp_path / "t" / name).touch()
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    (row,) = table(tmp_path / "t", "study,mask\na,größe.nrrd\n", "cp1252")
    assert row.mask.name == name
