"""The T2 of an examination: which of several, and what is passed over."""

import numpy as np
import pytest
from pydicom.uid import generate_uid

from tests.dicom.build import ORIENTATIONS, Recipe, edit, truncate, write_series
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.dicom.t2 import load_t2
from uteroseg.imaging.geometry import Geometry

STUDY, FRAME = generate_uid(), generate_uid()


def dwi(folder, **options):
    write_series(folder / "dwi", Recipe(study_uid=STUDY, frame_of_reference_uid=FRAME, **options))


def t2(folder, name, *, description="T2 TSE", frame=FRAME, adjust=lambda ds: None, **options):
    """A T2 series of the examination; its files."""

    def no_diffusion(ds, b):
        return None

    recipe = Recipe(
        b_values=(0,),
        dialect=no_diffusion,
        description=description,
        image_type=("ORIGINAL", "PRIMARY", "M"),
        study_uid=STUDY,
        frame_of_reference_uid=frame,
        adjust=adjust,
        **options,
    )
    return write_series(folder / name, recipe)


def of(folder, drawn_on=None):
    """The T2 that is chosen, and what was passed over."""
    [found] = find_studies(scan_folder(folder))
    series = next((one for one in found.others if one.description == drawn_on), None)
    return load_t2(found, load_study(found.used).geometry, series)


def named(folder, drawn_on=None):
    """The echo time of the T2 that is chosen, which tells it in these tests, and what was passed over."""
    volume, passed_over = of(folder, drawn_on)
    return volume and round(volume.acquisition["EchoTime"] * 1000), passed_over


def echo(ms, **values):
    def adjust(ds):
        ds.EchoTime = ms
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return adjust


def moved(mm):
    """Echo time 90, and everything moved along z."""

    def adjust(ds):
        ds.EchoTime = 90
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], float(ds.ImagePositionPatient[2]) + mm]

    return adjust


def test_a_t2_comes_with_its_grid_its_pixels_and_without_identity(tmp_path):
    dwi(tmp_path)
    files = t2(tmp_path, "t2", orientation="sagittal", descending=True)
    volume, passed_over = of(tmp_path)
    assert passed_over == ()
    assert volume.image.shape == (5, 12, 10)
    reference = np.array(ORIENTATIONS["sagittal"], float)
    assert np.allclose(volume.geometry.normal, np.cross(reference[:3], reference[3:]))
    assert volume.acquisition["Manufacturer"] == "Siemens"
    text = str(volume.acquisition)
    assert "Secret" not in text
    assert "SECRET" not in text
    assert len(files) == 5
    # voxels() of b 0: the first pixel of slice s is 2000 + 100 · s
    assert volume.image[:, 0, 0].tolist() == [2000, 2100, 2200, 2300, 2400]


def test_the_one_drawn_on_comes_before_a_nearer_one(tmp_path):
    dwi(tmp_path)
    t2(tmp_path, "a", adjust=echo(80))
    t2(tmp_path, "b", orientation="sagittal", description="T2 sag", adjust=echo(90))
    assert named(tmp_path)[0] == 80
    assert named(tmp_path, "T2 sag")[0] == 90
    assert named(tmp_path, "DWI")[0] == 80


@pytest.mark.parametrize(
    ("worse", "options"),
    [
        ("another plane", {"orientation": "coronal"}),
        ("another frame of reference", {"frame": generate_uid()}),
        ("another region", {"adjust": moved(15)}),
        ("another angle", {"orientation": "oblique"}),
        ("another matrix", {"adjust": echo(90, PixelSpacing=[0.7, 0.7])}),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_the_nearest_is_chosen_whatever_the_order(tmp_path, worse, options, first):
    dwi(tmp_path)
    t2(tmp_path, "near", adjust=echo(80), number=5)
    t2(tmp_path, "far", number=4 if first else 6, **{"adjust": echo(90), **options})
    assert named(tmp_path) == (80, ())


def test_the_plane_counts_more_than_the_frame_and_that_more_than_the_matrix(tmp_path):
    dwi(tmp_path)
    t2(tmp_path, "plane", orientation="coronal", adjust=echo(70))
    t2(tmp_path, "frame", frame=generate_uid(), adjust=echo(80))
    assert named(tmp_path)[0] == 80
    t2(tmp_path, "matrix", adjust=echo(90, PixelSpacing=[1.9, 1.4]))
    assert named(tmp_path)[0] == 90


def test_a_t2_that_is_damaged_no_stack_or_elsewhere_is_passed_over_and_said(tmp_path):
    dwi(tmp_path)
    gap = t2(tmp_path, "gap", description="T2 gap", adjust=echo(70), number=11)
    gap[2].unlink()
    t2(tmp_path, "one", description="T2 one", slices=1, adjust=echo(71), number=12)
    t2(tmp_path, "far", description="T2 far", adjust=moved(500), number=13)
    mixed = t2(tmp_path, "mixed", description="T2 mixed", adjust=echo(72), number=14)
    edit(mixed[0], lambda ds: setattr(ds, "PixelSpacing", [3, 3]))
    assert named(tmp_path)[0] is None
    t2(tmp_path, "good", orientation="sagittal", adjust=echo(90), number=15)
    chosen, passed_over = named(tmp_path)
    assert chosen == 90
    assert [text.split(":")[0] for text in passed_over] == [
        "series 11 (T2 gap)",
        "series 12 (T2 one)",
        "series 13 (T2 far)",
        "series 14 (T2 mixed)",
    ]


def test_pixels_that_cannot_be_decoded_give_way_to_the_next(tmp_path):
    dwi(tmp_path)
    near = t2(tmp_path, "near", description="T2 near", adjust=echo(80))
    truncate(near[1], -100)
    t2(tmp_path, "other", orientation="sagittal", adjust=echo(90))
    chosen, [passed_over] = named(tmp_path)
    assert chosen == 90
    assert "T2 near" in passed_over


def test_a_map_of_t2_is_no_t2_and_without_any_there_is_none(tmp_path):
    dwi(tmp_path)
    assert named(tmp_path) == (None, ())
    t2(tmp_path, "map", description="T2 Map")
    assert named(tmp_path) == (None, ())
    t2(tmp_path, "t2", description="T2 mapped later", adjust=echo(90))
    assert named(tmp_path)[0] == 90


def test_a_t2_of_another_examination_is_not_taken(tmp_path):
    dwi(tmp_path)
    t2(tmp_path, "t2", adjust=lambda ds: setattr(ds, "StudyInstanceUID", "1.2.3"))
    assert named(tmp_path) == (None, ())


def test_a_real_t2_lies_where_its_files_say(real_data):
    sitk = pytest.importorskip("SimpleITK")
    [found] = find_studies(scan_folder(real_data / "prostatex" / "0000"))
    volume, passed_over = load_t2(found, load_study(found.used).geometry)
    assert passed_over == ()
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(real_data / "prostatex" / "0000" / "t2")))
    image = reader.Execute()
    direction, spacing = np.reshape(image.GetDirection(), (3, 3)), np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = (direction * spacing)[:, ::-1], image.GetOrigin()
    reference = Geometry(image.GetSize()[::-1], affine)
    assert volume.geometry.difference(reference) is None
    np.testing.assert_array_equal(volume.image, sitk.GetArrayFromImage(image))
