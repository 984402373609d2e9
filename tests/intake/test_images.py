"""Image files as people keep them: which of them make a study, and what is refused by name."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from tests import tiny
from tests.intake.layouts import nifti
from uteroseg.dataset.study_files import read_b_values
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_image, write_image
from uteroseg.imaging.study import ADC_LEFT_OUT, DERIVED
from uteroseg.intake.images import find_images, load_images, study_at

B = 1400.0


def pair(folder, adc="x_adc.nii.gz", high="x_hbv.nii.gz", *, seed=1, unit=1e3, b=B, bval=True):
    """An ADC map in 10⁻⁶ mm²/s and an image of high b; the study that they came from."""
    study, _ = tiny.study(seed, b_values=(0.0, b), scanner_adc=True)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / adc, study.scanner_adc * unit, study.geometry)
    write(folder / high, study.signal[1], study.geometry)
    if bval:
        (folder / high).with_name(f"{high.split('.')[0]}.bval").write_text(f"{b:g}")
    return study


def write(path, image, geometry):
    """By SimpleITK where the format is not ours to write."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        lower = path.with_name(path.name.replace(".NII.GZ", ".nii.gz").replace(".NII", ".nii"))
        write_image(lower, np.asarray(image, np.float32), geometry)
        lower.rename(path)
        return
    made = sitk.GetImageFromArray(np.asarray(image, np.float32))
    axes = geometry.affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(axes, axis=0)
    made.SetSpacing(spacing.tolist())
    made.SetDirection((axes / spacing).ravel().tolist())
    made.SetOrigin(geometry.affine[:3, 3].tolist())
    plain = path.with_name(f"made{path.suffix.lower()}")
    sitk.WriteImage(made, str(plain))
    if path.suffix.lower() == ".mhd":
        plain.write_text(plain.read_text().replace("made.raw", f"{path.stem}.raw"))
        plain.with_suffix(".raw").rename(path.with_suffix(".raw"))
    plain.rename(path)


def names(source):
    return [(one.name, one.is_pair) for one in find_images(source)]


def refusal(found, b_values=()):
    with pytest.raises(UserError) as caught:
        load_images(found, b_values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("adc", "high", "name"),
    [
        ("x_adc.nii.gz", "x_hbv.nii.gz", "p/x"),
        ("x_adc.nii", "x_dwi.nii", "p/x"),
        ("X_ADC.NII.GZ", "X_DWI.nii.gz", "p/X"),
        ("adc.mha", "hbv.mha", "p/hbv"),
        ("ADC.MHA", "Dwi.mha", "p/Dwi"),
        ("10000_1000000_adc.mha", "10000_1000000_hbv.mha", "p/10000_1000000"),
        ("x_adc.mhd", "x_hbv.mhd", "p/x"),
        ("x_adc.nrrd", "x_hbv.nrrd", "p/x"),
        ("x_adc.nrrd", "x_hbv.nii.gz", "p/x"),
        ("x.y_adc.nii.gz", "x.y_hbv.nii.gz", "p/x.y"),
    ],
)
def test_a_map_and_a_high_b_are_known_by_their_names(tmp_path, adc, high, name):
    study = pair(tmp_path / "p", adc, high, bval=False)
    assert names(tmp_path) == [(name, True)]
    (found,) = find_images(tmp_path)
    loaded = load_images(found, (B,))
    assert loaded.b_values == (0, B)
    assert loaded.geometry.difference(study.geometry, tolerance_mm=1e-3) is None
    np.testing.assert_allclose(loaded.signal[1], study.signal[1], rtol=1e-6)
    np.testing.assert_allclose(loaded.scanner_adc, study.scanner_adc, rtol=1e-5)
    np.testing.assert_allclose(loaded.fit().adc, study.scanner_adc, atol=1e-4)
    assert loaded.acquisition["b_value_source"] == "user"
    assert set(loaded.acquisition[DERIVED]) == {"0"}


@pytest.mark.parametrize("key", ["DiffusionBValue", "b_value", "b_values", "B-Value", "bval"])
@pytest.mark.parametrize("value", [1400, "1400", [1400.0]])
def test_the_b_value_can_stand_in_a_sidecar(tmp_path, key, value):
    pair(tmp_path, bval=False)
    (tmp_path / "x_hbv.json").write_text(json.dumps({key: value}))
    loaded = load_images(find_images(tmp_path)[0])
    assert (loaded.b_values, loaded.acquisition["b_value_source"]) == ((0, 1400), "JSON sidecar")


def test_what_a_file_says_comes_before_what_the_user_says(tmp_path):
    pair(tmp_path)
    (tmp_path / "x_hbv.json").write_text('{"DiffusionBValue": 900}')
    loaded = load_images(find_images(tmp_path)[0], (1000,))
    assert (loaded.b_values, loaded.acquisition["b_value_source"]) == ((0, 1400), ".bval file")


@pytest.mark.parametrize(
    ("sidecar", "b_values", "told"),
    [
        (None, (), "has no b-value"),
        ({"EchoTime": 0.1}, (), "has no b-value"),
        ({"DiffusionBValue": "high"}, (), "has no b-value"),
        ({"DiffusionBValue": None}, (), "has no b-value"),
        ({"b_values": [0, 1400]}, (), "the b-values 0, 1400 (JSON sidecar)"),
        (None, (0, 1400), "the b-values 0, 1400 (user)"),
        (None, (50,), "one image with a b-value, 50 s/mm²"),
        ({"DiffusionBValue": 500}, (), "one image with a b-value, 500 s/mm²"),
    ],
)
def test_a_b_value_that_is_unknown_is_asked_for_with_both_files_named(tmp_path, sidecar, b_values, told):
    pair(tmp_path, bval=False)
    if sidecar is not None:
        (tmp_path / "x_hbv.json").write_text(json.dumps(sidecar))
    found = refusal(find_images(tmp_path)[0], b_values)
    assert told in found
    assert "x_hbv.nii.gz" in found
    assert "x_adc.nii.gz" in found


def test_a_map_on_another_grid_or_damaged_is_an_error_where_nothing_else_is_there(tmp_path):
    study = pair(tmp_path)
    (found,) = find_images(tmp_path)
    adc = tmp_path / "x_adc.nii.gz"
    whole = adc.read_bytes()
    write(adc, study.scanner_adc[:-1] * 1000, study.geometry.__class__((5, 48, 48), study.geometry.affine))
    assert "grids differ" in refusal(found)
    adc.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refusal(found)
    write(adc, study.scanner_adc * 100, study.geometry)  # 10⁻⁵ mm²/s
    assert "unit of the ADC map" in refusal(found)
    (tmp_path / "x_adc.json").write_text('{"Units": "10^-5 mm^2/s"}')
    np.testing.assert_allclose(load_images(found).scanner_adc, study.scanner_adc, rtol=1e-5)
    write(adc, np.stack([study.scanner_adc] * 2), study.geometry)
    assert "holds 2 images" in refusal(found)


def test_images_of_several_b_values_are_no_pair_and_their_map_is_taken_along(tmp_path):
    study = pair(tmp_path, "x_ADC.nii.gz", "x_hbv.nii.gz", bval=False)
    nifti(tmp_path, "x_dwi", b_values=(0.0, B))
    (found,) = find_images(tmp_path)
    assert (found.name, found.is_pair) == ("x_dwi", False)
    loaded = load_images(found)
    assert not loaded.derived
    np.testing.assert_allclose(loaded.scanner_adc, study.scanner_adc, rtol=1e-5)


@pytest.mark.parametrize("damage", ["grid", "cut", "unit", "several"])
def test_a_map_beside_several_b_values_that_cannot_be_used_is_left_out_and_said(tmp_path, damage):
    study, _ = nifti(tmp_path, "x_dwi", b_values=(0.0, B), scanner_adc=True)
    adc = tmp_path / "x_adc.nii.gz"
    write(adc, study.scanner_adc * (100 if damage == "unit" else 1), study.geometry)
    if damage == "grid":
        write(adc, study.scanner_adc[1:], study.geometry.__class__((5, 48, 48), study.geometry.affine))
    if damage == "cut":
        adc.write_bytes(adc.read_bytes()[: adc.stat().st_size // 2])
    if damage == "several":
        write(tmp_path / "x_ADC.nii", study.scanner_adc, study.geometry)
    loaded = load_images(find_images(tmp_path)[0])
    assert loaded.scanner_adc is None
    told = {
        "grid": "it lies on another grid than the images",
        "cut": "it cannot be read",
        "unit": "its unit cannot be told",
        "several": "there are several",
    }
    assert loaded.acquisition[ADC_LEFT_OUT] == told[damage]
    np.testing.assert_array_equal(loaded.signal, study.signal)


def test_as_dcm2niix_names_a_trace_and_its_map(tmp_path):
    study = pair(tmp_path, "s5_ADC.nii.gz", "s5.nii.gz")
    assert names(tmp_path) == [("s5", True)]
    nifti(tmp_path / "whole", "s5", b_values=(0.0, 800.0))
    write(tmp_path / "whole" / "s5_ADC.nii.gz", study.scanner_adc, study.geometry)
    assert names(tmp_path / "whole") == [("s5", False)]
    assert load_images(find_images(tmp_path / "whole")[0]).scanner_adc is not None


def test_the_surer_name_of_two_is_taken_and_the_other_listed(tmp_path):
    study = pair(tmp_path)
    write(tmp_path / "x_dwi.nii.gz", study.signal[0], study.geometry)
    (tmp_path / "x_dwi.bval").write_text("0")
    write(tmp_path / "x_t2w.mha", study.signal[0], study.geometry)
    write(tmp_path / "x_cor.mha", study.signal[0], study.geometry)
    (found,) = find_images(tmp_path)
    assert (found.image.name, found.left_out, found.t2) == (
        "x_hbv.nii.gz",
        ("x_dwi.nii.gz",),
        tmp_path / "x_t2w.mha",
    )


def test_a_map_or_a_high_b_alone_is_no_study(tmp_path):
    pair(tmp_path, "x_adc.nii.gz", "y_hbv.nii.gz", bval=False)
    assert find_images(tmp_path) == []


@pytest.mark.parametrize("twin", ["x_adc.mha", "x_ADC.nii.gz", "x_adc.nii", "x_hbv.nii", "x_HBV.mha"])
def test_two_files_of_one_name_are_refused_with_both_named(tmp_path, twin):
    study = pair(tmp_path)
    write(tmp_path / twin, study.signal[1], study.geometry)
    (found,) = find_images(tmp_path)
    assert twin in refusal(found)


def test_two_images_of_one_bval_are_refused_with_both_named(tmp_path):
    nifti(tmp_path, "dwi")
    nifti(tmp_path, "dwi", ending="nii", seed=2)
    (found,) = find_images(tmp_path)
    assert "dwi.nii and dwi.nii.gz" in refusal(found)
    assert load_images(study_at(tmp_path / "dwi.nii")).signal.shape[0] == 2  # the one that was named


BVALS = {
    "a byte-order mark": b"\xef\xbb\xbf0 1000",
    "UTF-16": "0 1000\r\n".encode("utf-16"),
    "UTF-16, big": b"\xfe\xff" + "0 1000".encode("utf-16-be"),
    "UTF-16 without a mark": "0 1000".encode("utf-16-le"),
    "commas": b"0,1000",
    "commas and spaces": b"0, 1000,\n",
    "semicolons": b"0;1000",
    "tabs": b"0\t1000\t\n",
    "a column": b"0\r\n1000\r\n",
    "spaces all over": b"\n  0   1000 \n\n",
    "other numbers": b"0.0 1e3",
    "a zero byte at the end": b"0 1000\n\0",
}


@pytest.mark.parametrize("content", BVALS.values(), ids=BVALS.keys())
def test_b_values_as_any_program_writes_them(tmp_path, content):
    (tmp_path / "x.bval").write_bytes(content)
    assert read_b_values(tmp_path / "x.bval") == [0, 1000]


@given(st.lists(st.integers(0, 9999), min_size=1, max_size=8), st.sampled_from([" ", ",", "\n", "\t", "; "]))
def test_any_list_of_b_values_comes_back(tmp_path_factory, b_values, between):
    path = tmp_path_factory.getbasetemp() / "list.bval"
    path.write_text(between.join(map(str, b_values)))
    assert read_b_values(path) == b_values


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("0 nan", "the b-value nan"),
        ("0 -800", "the b-value -800"),
        ("inf 0", "the b-value inf"),
        ("0 10000", "the b-value 10000"),
        ("0 1000 s/mm2", "not a number: 's/mm2'"),
        ("", "no b-value"),
        (" \n", "no b-value"),
    ],
)
def test_what_is_no_b_value_is_named(tmp_path, content, told):
    nifti(tmp_path, "x")
    (tmp_path / "x.bval").write_text(content)
    found = refusal(find_images(tmp_path)[0])
    assert told in found
    assert "x.bval" in found
    assert "adc_b_min" not in found


def test_many_images_of_one_b_value_are_counted_in_few_words(tmp_path):
    study, _ = tiny.study()
    write_image(tmp_path / "x.nii.gz", np.stack([study.signal[0]] * 31), study.geometry)
    (tmp_path / "x.bval").write_text("0 " + "800 " * 30)
    assert "more than once: 800 (30 times)." in refusal(find_images(tmp_path)[0])


@pytest.mark.parametrize("ending", ["bval", "BVAL", "bvals", "BVALS"])
@pytest.mark.parametrize("image", ["x.nii.gz", "x.nii", "x.NII.GZ"])
def test_endings_in_any_letters(tmp_path, ending, image):
    study, _ = tiny.study()
    write(tmp_path / image, study.signal, study.geometry)
    (tmp_path / f"x.{ending}").write_text("0 1000")
    (found,) = find_images(tmp_path)
    np.testing.assert_array_equal(load_images(found).signal, study.signal)


def test_an_image_of_one_b_value_is_told_to_be_that(tmp_path):
    study, _ = tiny.study()
    write_image(tmp_path / "x.nii.gz", study.signal[1], study.geometry)
    (tmp_path / "x.bval").write_text("800")
    assert load_images(find_images(tmp_path)[0]).b_values == (800,)


def test_a_sidecar_with_a_stray_comma_is_named_as_what_it_is(tmp_path):
    nifti(tmp_path, "x")
    (tmp_path / "x.json").write_text('{"EchoTime": 0.06,}')
    told = refusal(find_images(tmp_path)[0])
    assert "x.json cannot be read" in told
    assert "as uteroseg wrote it" not in told
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"EchoTime": 0.06}')
    assert load_images(find_images(tmp_path)[0]).acquisition["EchoTime"] == 0.06


def test_what_systems_leave_behind_is_passed_over(tmp_path):
    nifti(tmp_path, "p/dwi")
    for litter in ("p/._dwi.bval", "p/.DS_Store", "p/Thumbs.db", "__MACOSX/p/._dwi.bval", ".hidden/dwi.bval"):
        (tmp_path / litter).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / litter).write_bytes(b"\0\5\26\7")
    nifti(tmp_path, "__MACOSX/q/dwi")
    nifti(tmp_path, ".hidden/q/dwi")
    nifti(tmp_path, "derivatives/q/dwi")
    assert names(tmp_path) == [("p/dwi", False)]


def test_links_are_followed_each_once(tmp_path):
    outside = tmp_path / "store"
    nifti(outside, "far/dwi", seed=2)
    source = tmp_path / "in"
    nifti(source, "z/dwi", seed=1)
    (source / "a").symlink_to(source / "z")  # the same folder under another name
    (source / "z" / "up").symlink_to(source)  # a loop
    (source / "p2").symlink_to(outside / "far")
    (source / "gone").symlink_to(tmp_path / "nowhere")
    (source / "p3").mkdir()
    (source / "p3" / "dwi.nii.gz").symlink_to(source / "z" / "dwi.nii.gz")  # the same file
    (source / "p3" / "dwi.bval").symlink_to(source / "z" / "dwi.bval")
    assert names(source) == [("p2/dwi", False), ("z/dwi", False)]


def test_images_can_share_one_bval_by_links(tmp_path):
    (tmp_path / "protocol.txt").write_text("0 1000")
    for number, name in enumerate(("a", "b", "c")):
        nifti(tmp_path / "in", f"{name}/dwi", seed=number)
        (tmp_path / "in" / name / "dwi.bval").unlink()
        (tmp_path / "in" / name / "dwi.bval").symlink_to(tmp_path / "protocol.txt")
    assert [name for name, _ in names(tmp_path / "in")] == ["a/dwi", "b/dwi", "c/dwi"]


def test_names_that_are_not_utf_8_survive_and_can_be_printed(tmp_path):
    odd = os.fsdecode(b"M\xfcller")
    nifti(tmp_path, f"{odd}/dwi")
    (found,) = find_images(tmp_path)
    assert found.name == "M\\xfcller/dwi"
    assert load_images(found).b_values == (0, 1000)
    Path(tmp_path, odd, "dwi.bval").write_text("0 nan")
    assert refusal(found).encode("utf-8")


@pytest.mark.parametrize("named", ["x_adc.mha", "x_hbv.mha", "x_dwi.mha"])
def test_any_file_of_a_pair_stands_for_it(tmp_path, named):
    study = pair(tmp_path, "x_adc.mha", "x_hbv.mha", bval=False)
    write(tmp_path / "x_dwi.mha", study.signal[1] + 1, study.geometry)
    nifti(tmp_path, "y_dwi")
    found = study_at(tmp_path / named)
    assert found.is_pair
    assert found.image.name == ("x_dwi.mha" if named == "x_dwi.mha" else "x_hbv.mha")


def test_an_image_with_its_own_bval_stands_for_itself(tmp_path):
    nifti(tmp_path, "x_dwi")
    pair(tmp_path, "x_adc.nii.gz", "x_hbv.nii.gz")
    assert not study_at(tmp_path / "x_dwi.nii.gz").is_pair
    assert "does not exist" in refusal(study_at(tmp_path / "gone.nii.gz"))


def test_a_mark_of_derived_images_is_kept(tmp_path):
    nifti(tmp_path, "x", b_values=(0.0, 1400.0), sidecar={DERIVED: {"0": "Doe"}, ADC_LEFT_OUT: "Doe"})
    loaded = load_images(find_images(tmp_path)[0])
    assert loaded.derived
    assert "Doe" not in json.dumps(dict(loaded.acquisition))


def test_a_real_stroke_in_nifti_is_a_pair(real_data):
    """ISLES'22: interpolated below 0 in both images; its sidecar says b 800."""
    (found,) = find_images(real_data / "isles22_case")
    assert found.is_pair
    study = load_images(found)
    assert study.b_values == (0, 800)
    assert study.acquisition["b_value_source"] == "JSON sidecar"
    adc, _ = read_image(found.maps[0])
    defined = (adc > 0) & (study.signal[1] > 0)
    np.testing.assert_allclose(study.fit().adc[defined], adc[defined], atol=1e-4)
    np.testing.assert_array_equal(study.signal[0][adc <= 0], study.signal[1][adc <= 0])
