"""Real scanner output against independent readers: SimpleITK, dcm2niix and the scanner's own ADC."""

import subprocess
from functools import lru_cache
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from uteroseg.dicom.adc import load_adc
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.scan import Series, scan_folder
from uteroseg.dicom.stack import arrange_map
from uteroseg.dicom.studies import find_studies
from uteroseg.imaging.diffusion import fit_adc
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import DwiStudy

PROSTATES = ["prostatex/0000", "prostatex/0001"]


@lru_cache
def only_study(folder: Path) -> DwiStudy:
    (found,) = find_studies(scan_folder(folder))
    return load_study(found.used)


def series_in(folder: Path) -> Series:
    (series,) = scan_folder(folder).series
    return series


@pytest.mark.parametrize("patient", PROSTATES)
def test_prostatex_b_values_come_from_the_siemens_private_element(patient: str, real_data: Path) -> None:
    study = only_study(real_data / patient)
    assert study.b_values == (50, 400, 800)
    assert study.acquisition["b_value_source"] == "Siemens private (0019,100C)"
    assert study.signal.shape == (3, 19, 128, 84)


def test_maps_and_calculated_images_stay_out_of_the_study(real_data: Path) -> None:
    (found,) = find_studies(scan_folder(real_data / "prostatex" / "0000"))
    assert [path.parent.name for s in found.dwi for path in s.files] == ["dwi"] * 57
    assert found.adc is not None
    assert {path.parent.name for path in found.adc.files} == {"adc"}
    assert {path.parent.name for s in found.others for path in s.files} == {"t2", "calculated_b"}
    assert all(use.reason for use in found.uses)


@pytest.mark.parametrize("patient", PROSTATES)
def test_fitted_adc_agrees_with_the_scanners(patient: str, real_data: Path) -> None:
    study = only_study(real_data / patient)
    fitted, scanner = fit_adc(study.signal, study.b_values).adc, study.scanner_adc
    assert scanner is not None
    b50 = study.signal[0]
    inside = (scanner > 0) & (b50 > 0.1 * np.percentile(b50, 99))
    assert np.corrcoef(fitted[inside], scanner[inside])[0, 1] > 0.998
    assert 1.0 < np.median(fitted[inside] / scanner[inside]) < 1.06


def test_fitted_adc_agrees_with_the_scanners_on_enhanced_files(real_data: Path) -> None:
    study = only_study(real_data / "siemens_xa30_enhanced")
    fitted, scanner = fit_adc(study.signal, study.b_values).adc, study.scanner_adc
    assert scanner is not None
    inside = (scanner > 0) & (study.signal[0] > 0.1 * np.percentile(study.signal[0], 99))
    assert abs(np.median(fitted[inside] / scanner[inside]) - 1) < 0.01


@pytest.mark.parametrize("patient", PROSTATES)
def test_pixels_and_geometry_are_those_of_simpleitk(patient: str, real_data: Path) -> None:
    folder = real_data / patient / "dwi"
    study = only_study(folder)
    b400 = [
        path for path in folder.iterdir() if pydicom.dcmread(path)[0x0019, 0x100C].value.strip() == b"400"
    ]
    normal = study.geometry.normal
    b400.sort(key=lambda path: normal @ np.array(pydicom.dcmread(path).ImagePositionPatient, float))
    image = sitk.ReadImage([str(path) for path in b400])
    np.testing.assert_array_equal(study.signal[1], sitk.GetArrayFromImage(image))
    for index in [(0, 0, 0), (18, 127, 83), (5, 100, 3)]:
        point = image.TransformIndexToPhysicalPoint(index[::-1])
        np.testing.assert_allclose(study.geometry.to_patient(index), point, atol=1e-3)


def by_dcm2niix(folder: Path, out: Path) -> list[nib.Nifti1Image]:
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "%s", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return [nib.load(path) for path in sorted(out.glob("*.nii"))]


def assert_same_image(ours: nib.Nifti1Image, theirs: nib.Nifti1Image, what: str) -> None:
    """Compare once both are turned to the same orientation."""
    ours, theirs = nib.as_closest_canonical(ours), nib.as_closest_canonical(theirs)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-3, err_msg=what)
    np.testing.assert_allclose(ours.get_fdata(), theirs.get_fdata(), rtol=1e-5, err_msg=what)


@pytest.mark.parametrize(
    "folder",
    [f"{p}/dwi" for p in PROSTATES]
    + ["canon_galan/classic", "canon_galan/enhanced", "siemens_xa30_enhanced"],
)
def test_studies_are_those_of_dcm2niix(folder: str, real_data: Path, tmp_path: Path) -> None:
    study = only_study(real_data / folder)
    images = by_dcm2niix(real_data / folder, tmp_path)
    assert len(images) == (3 if folder.startswith("siemens") else 1)
    for image in images:
        if folder.startswith("siemens"):  # a file per b-value, and the ADC map
            name = Path(image.get_filename()).stem
            volumes: dict[str, Array] = {"12": study.signal[1], "16": study.signal[0]}
            volumes["11"] = np.asarray(study.scanner_adc) * 1000
            ours = volumes[name]
            assert_same_image(nib.Nifti1Image(ours.T, study.geometry.nifti_affine), image, name)
            continue
        theirs = np.asarray(image.dataobj, np.float64)
        if folder.startswith("canon"):  # b 0, then twelve directions
            trace = np.exp(np.log(np.maximum(theirs[..., 1:], 1e-300)).mean(axis=-1))
            theirs = np.stack([theirs[..., 0], np.where((theirs[..., 1:] > 0).all(axis=-1), trace, 0)], -1)
        image = nib.Nifti1Image(theirs, image.affine)
        assert_same_image(nib.Nifti1Image(study.signal.T, study.geometry.nifti_affine), image, folder)


@pytest.mark.parametrize(
    "folder",
    ["prostatex/0000/t2", "prostatex/0000/calculated_b", "dicom_seg/source_ct"]
    + [f"siemens_xa30_enhanced/series_{number}.dcm" for number in (11, 12, 16)],
)
def test_any_image_series_is_that_of_dcm2niix(folder: str, real_data: Path, tmp_path: Path) -> None:
    series = series_in(real_data / folder)
    geometry, ordered = arrange_map(frames_of(series), what=folder)
    pixels = {id(frame): image for frame, image in rescaled(ordered, comparable=False)}
    ours = np.stack([pixels[id(frame)] for frame in ordered])
    alone, out = tmp_path / "in", tmp_path / "out"
    alone.mkdir()
    out.mkdir()
    for file in series.files:
        (alone / file.name).symlink_to(file)
    (image,) = by_dcm2niix(alone, out)
    assert_same_image(nib.Nifti1Image(ours.T, geometry.nifti_affine), image, folder)


def test_philips_enhanced_study_and_its_scaling_are_those_of_dcm2niix(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "philips_enhanced_header_only"
    study = only_study(folder)
    (image,) = by_dcm2niix(folder, tmp_path)
    (b_file,) = tmp_path.glob("*.bval")
    b_values = np.loadtxt(b_file)
    assert sorted(b_values) == [0, 1300, 1300, 1300]
    theirs = image.get_fdata()
    trace = np.exp(np.log(np.maximum(theirs[..., b_values == 1300], 1e-300)).mean(axis=-1))
    trace[(theirs[..., b_values == 1300] <= 0).any(axis=-1)] = 0
    both = np.stack([theirs[..., b_values == 0][..., 0], trace], axis=-1)
    ours = nib.Nifti1Image(study.signal.T, study.geometry.nifti_affine)
    assert_same_image(ours, nib.Nifti1Image(both, image.affine), "Philips")


@pytest.mark.parametrize("patient", PROSTATES)
def test_scanner_adc_is_dcm2niix_map_in_our_unit(patient: str, real_data: Path, tmp_path: Path) -> None:
    adc, geometry = load_adc(series_in(real_data / patient / "adc"))
    (image,) = by_dcm2niix(real_data / patient / "adc", tmp_path)
    assert_same_image(nib.Nifti1Image(adc.T * 1000, geometry.nifti_affine), image, patient)


def test_canon_classic_and_enhanced_give_the_same_study(real_data: Path) -> None:
    classic, enhanced = (only_study(real_data / "canon_galan" / kind) for kind in ("classic", "enhanced"))
    assert classic.b_values == enhanced.b_values == (0, 1500)
    np.testing.assert_array_equal(classic.signal, enhanced.signal)
    np.testing.assert_allclose(classic.geometry.affine, enhanced.geometry.affine, atol=1e-6)


def test_both_encodings_of_one_series_together_are_refused(real_data: Path) -> None:
    (found,) = find_studies(scan_folder(real_data / "canon_galan"))
    with pytest.raises(Exception, match="is there twice: as single slices"):
        load_study(found.used)


def test_philips_enhanced_header_is_understood(real_data: Path) -> None:
    (found,) = find_studies(scan_folder(real_data / "philips_enhanced_header_only"))
    study = load_study(found.used)
    assert study.b_values == (0, 1300)
    assert study.signal.shape == (2, 8, 128, 128)


@pytest.mark.parametrize("patient", PROSTATES)
def test_nothing_in_the_sidecar_fields_identifies(patient: str, real_data: Path) -> None:
    header = pydicom.dcmread(next((real_data / patient / "dwi").iterdir()), stop_before_pixels=True)
    secret = [header.PatientID, header.StudyInstanceUID, header.StudyDate, header.AccessionNumber]
    text = str(dict(only_study(real_data / patient / "dwi").acquisition))
    assert not any(str(value) in text for value in secret)
