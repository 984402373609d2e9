import numpy as np
import pytest

from tests.dicom import build
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.described import DESCRIPTION, USER, described_b_values
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError


@pytest.mark.parametrize(
    ("description", "b_values"),
    [
        ("DWI B100/600/1000", (100, 600, 1000)),
        ("Sag DWI b0, 500, 1000", (0, 500, 1000)),
        ("ep2d_diff_b50_400_800_tra", (50, 400, 800)),
        ("DWI b=1000", (1000,)),
        ("DWI b0 b800", (0, 800)),
        ("ep2d_diff_tra", ()),
        ("DWI b100/100", ()),
        ("B1 map", (1,)),
        ("T2 abdomen 3mm", ()),
        ("AB100 DWI", ()),
    ],
)
def test_descriptions_list_their_b_values_in_order(description, b_values):
    assert described_b_values(description) == b_values


def stripped(ds, _b):
    """What is left after de-identification: no b-value anywhere."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]


def study_in(folder, recipe, **options):
    build.write_series(folder, recipe)
    (found,) = find_studies(scan_folder(folder))
    return load_study(found.used, ReadOptions(**options))


def recipe(description, b_values=(100, 600, 1000), **options):
    return build.Recipe(
        b_values=b_values,
        dialect=stripped,
        description=description,
        manufacturer="GE MEDICAL SYSTEMS",
        orientation="sagittal",
        **options,
    )


@pytest.mark.parametrize("descending", [False, True])
def test_listed_b_values_go_to_images_in_order_of_acquisition(tmp_path, descending):
    study = study_in(tmp_path, recipe("DWI B100/600/1000", descending=descending))
    assert study.b_values == (100, 600, 1000)
    assert study.acquisition["b_value_source"] == DESCRIPTION
    for b, volume in zip(study.b_values, study.signal, strict=True):
        for number, image in enumerate(volume):
            np.testing.assert_array_equal(image, build.voxels(b, number))


def test_a_list_in_another_order_than_the_signal_is_refused(tmp_path):
    with pytest.raises(UserError, match="it does not fall with b"):
        study_in(tmp_path, recipe("DWI B1000/600/100"))


def test_a_list_of_another_length_is_refused(tmp_path):
    with pytest.raises(UserError, match="a slice has 3 images"):
        study_in(tmp_path, recipe("DWI B100/1000"))


def test_without_an_order_nothing_is_guessed(tmp_path):
    def same_number(ds):
        ds.InstanceNumber = 1

    with pytest.raises(UserError, match="1 different Instance Numbers"):
        study_in(tmp_path, recipe("DWI B100/600/1000", adjust=same_number))


def test_the_user_is_asked_and_believed_under_the_same_condition(tmp_path):
    with pytest.raises(UserError, match="nowhere") as asked:
        study_in(tmp_path / "a", recipe("DWI"))
    assert "b_values" in asked.value.fix
    study = study_in(tmp_path / "b", recipe("DWI"), b_values=(100, 600, 1000))
    assert study.b_values == (100, 600, 1000)
    assert study.acquisition["b_value_source"] == USER
    with pytest.raises(UserError, match="it does not fall with b"):
        study_in(tmp_path / "c", recipe("DWI"), b_values=(1000, 600, 100))


def test_a_header_that_tells_is_believed_before_description_and_user(tmp_path):
    build.write_series(tmp_path, build.Recipe(b_values=(0, 500), description="DWI B100/600"))
    (found,) = find_studies(scan_folder(tmp_path))
    assert load_study(found.used, ReadOptions(b_values=(1, 2))).b_values == (0, 500)
