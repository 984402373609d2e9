import numpy as np
import pydicom
import pytest

from tests.annotations.drawn import CYAN, RED, T2_GRID, ball, contours_of, write_rtstruct
from tests.annotations.opened import read_annotation
from tests.grids import ORIENTATIONS, grid
from uteroseg.annotations.file import open_annotation
from uteroseg.annotations.regions import Choice, Region
from uteroseg.errors import UserError

TUMOUR = ball(T2_GRID)
OUTLINES = contours_of(TUMOUR, T2_GRID)
SMALL = [(5, T2_GRID.to_patient([(5, 1.5, 1.5), (5, 1.5, 9.5), (5, 9.5, 9.5), (5, 9.5, 1.5)]))]


def read(path, geometry=T2_GRID, **chosen):
    return read_annotation(path, choice=Choice(**chosen), grid_of=lambda instances, points: geometry)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_contours_give_back_the_mask_that_they_outline_on_every_plane(name, tmp_path):
    geometry = grid(name, (12, 60, 70), (4.0, 0.8, 0.9), (12.3, -45.6, 78.9))
    middle = geometry.to_patient((5.2, 31, 33))
    mask = ball(geometry, middle, 14) & ~ball(geometry, middle, 6)
    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, contours_of(mask, geometry))])
    np.testing.assert_array_equal(read(path, geometry).data, mask)


def test_a_region_is_chosen_by_name_colour_or_number(tmp_path):
    path = write_rtstruct(
        tmp_path / "rt.dcm", [("ROI", RED, SMALL), ("ROI", CYAN, OUTLINES), ("Cervix", RED, SMALL)]
    )
    for chosen in ({"colour": CYAN}, {"number": 2}, {"name": "roi", "colour": CYAN}):
        np.testing.assert_array_equal(read(path, **chosen).data, TUMOUR)
    assert read(path, name="CERV*").data.sum() == 64
    expected = (Region(1, "ROI", RED), Region(2, "ROI", CYAN), Region(3, "Cervix", RED))
    assert open_annotation(path).regions == expected


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, r"holds 2 regions: 1 GTV \(0,235,235\); 2 Uterus \(255,0,0\)"),
        ({"name": "Tumour"}, r"no region of name 'Tumour', it holds: 1 GTV"),
        ({"colour": (1, 2, 3)}, r"no region of colour 1,2,3, it holds: 1 GTV"),
        ({"name": "*T*"}, "holds 2 regions"),
    ],
)
def test_a_choice_that_fits_none_or_several_lists_what_there_is(chosen, found, tmp_path):
    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, OUTLINES), ("Uterus", RED, SMALL)])
    with pytest.raises(UserError, match=found) as caught:
        read(path, **chosen)
    assert "rt.dcm" in caught.value.found


def bow():
    return T2_GRID.to_patient([(5, 10, 10), (5, 40, 40), (5, 40, 10), (5, 10, 40)])


@pytest.mark.parametrize(
    ("points", "found"),
    [
        (bow(), r"contour 2 crosses itself"),
        (SMALL[0][1] + (500, 0, 0), "contour 2 at .* lies off every slice"),
        (SMALL[0][1][:2], "contour 2 has 2 points"),
        (np.zeros((0, 3)), "contour 2 has 0 points"),
        (SMALL[0][1][:1], "has CLOSED_PLANAR, POINT contours"),
    ],
)
def test_a_bad_contour_is_refused_with_file_and_region(points, found, tmp_path):
    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, [SMALL[0], (None, points)])])
    with pytest.raises(UserError, match=found) as caught:
        read(path)
    assert "rt.dcm, region 1 GTV" in caught.value.found


def cut_numbers(ds):
    ds.ROIContourSequence[0].ContourSequence[0].ContourData = ["1", "2"]


def another_count(ds):
    ds.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = 9


def no_contours(ds):
    del ds.ROIContourSequence


def no_contours_of_the_roi(ds):
    del ds.ROIContourSequence[0].ContourSequence


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (cut_numbers, "cannot be read"),
        (another_count, "cannot be read .*a contour of 9 points has 4"),
        (no_contours, r"region 1 GTV.* is empty"),
        (no_contours_of_the_roi, r"region 1 GTV.* is empty"),
    ],
)
def test_a_damaged_structure_set_is_refused_by_name(change, found, tmp_path):
    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, SMALL)], change=change)
    with pytest.raises(UserError, match=found) as caught:
        read(path)
    assert "rt.dcm" in caught.value.found


def test_numbers_that_are_none_and_a_cut_file_are_refused(tmp_path):
    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, SMALL)])
    whole = path.read_bytes()
    number = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence[0].ContourData[0]
    text = str(number.original_string if hasattr(number, "original_string") else number).encode()
    for damaged in (whole.replace(text, b"x" * len(text), 1), whole[: len(whole) // 2], whole[:400]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"rt\.dcm"):
            read(path)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_without_its_images_nothing_is_inferred_from_the_contours_that_are_there(every, tmp_path):
    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, OUTLINES[::every])])
    with pytest.raises(UserError, match="nothing tells how thick their slices are"):
        read_annotation(path)


def one_number(ds):
    for keyword, sequence in (
        ("ROINumber", ds.StructureSetROISequence),
        ("ReferencedROINumber", ds.ROIContourSequence),
    ):
        for item in list(sequence)[:2]:
            setattr(item, keyword, 1)


def one_entry(ds):
    one_number(ds)
    del ds.ROIContourSequence[1]


def contours_twice(ds):
    ds.ROIContourSequence[1].ReferencedROINumber = 1


def no_numbers(ds):
    for item in ds.StructureSetROISequence:
        del item.ROINumber


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (one_number, r"their number is one: 1 tumour \(.*\); 1 bladder"),
        (one_entry, r"their number is one: 1 tumour \(.*\); 1 bladder"),
        (contours_twice, "region 1 tumour .* has CLOSED_PLANAR contours, in 2 entries"),
        (no_numbers, "their number is one: 0 tumour; 0 bladder; 0 uterus"),
    ],
)
def test_regions_of_one_number_are_never_joined(change, found, tmp_path):
    rois = [("tumour", CYAN, OUTLINES), ("bladder", RED, SMALL), ("uterus", RED, SMALL)]
    path = write_rtstruct(tmp_path / "rt.dcm", rois, change=change)
    with pytest.raises(UserError, match=found):
        read(path, name="tumour")
    if change is not no_numbers:
        assert read(path, name="uterus").data.sum() == 64


def test_a_name_that_fits_two_is_never_joined(tmp_path):
    path = write_rtstruct(tmp_path / "rt.dcm", [("Tumour", CYAN, OUTLINES), ("tumour ", RED, SMALL)])
    with pytest.raises(UserError, match="holds 2 regions"):
        read(path, name="tumour")


@pytest.mark.parametrize("undefined", [False, True], ids=["lengths", "delimiters"])
def test_a_truncated_structure_set_is_refused_wherever_it_ends(undefined, tmp_path):
    def delimited(ds):
        for element in ds.iterall():
            element.is_undefined_length = undefined and element.VR == "SQ"

    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, SMALL)], change=delimited)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"rt\.dcm"):
            read(path)


def test_what_an_algorithm_contoured_names_it(tmp_path):
    def automatic(ds):
        ds.StructureSetROISequence[0].ROIGenerationAlgorithm = "AUTOMATIC"
        ds.StructureSetROISequence[0].ROIGenerationDescription = "AutoContour 2"

    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, SMALL), ("Own", RED, SMALL)], change=automatic)
    file = open_annotation(path)
    assert [file.drawn_by(Choice(name=name)) for name in ("GTV", "Own", "*")] == ["AutoContour 2", "", ""]


def test_a_contour_that_is_there_twice_is_no_hole(tmp_path):
    again = [(s, np.roll(points[::-1], 3, axis=0)) for s, points in OUTLINES[1:3]]
    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, [*OUTLINES, OUTLINES[0], *again])])
    np.testing.assert_array_equal(read(path).data, TUMOUR)


def test_contours_of_a_number_that_no_region_has_are_told(tmp_path):
    def change(ds):
        ds.ROIContourSequence[0].ReferencedROINumber = 77

    path = write_rtstruct(tmp_path / "rt.dcm", [("GTV", CYAN, OUTLINES)], change=change)
    with pytest.raises(UserError, match=r"ROI numbers that no region has: \[77\]"):
        read(path)
