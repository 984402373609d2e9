import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.annotations.opened import read_annotation
from tests.dicom.build import Recipe, write_series
from uteroseg.annotations.regions import Choice
from uteroseg.dicom.assemble import load_study, source_images
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.seg import write_seg
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import write_image, write_mask
from uteroseg.imaging.study import Mask

TWO = Choice(number=2)


@pytest.fixture
def mask(tmp_path: Path) -> Mask:
    write_series(tmp_path / "dwi", Recipe(orientation="oblique"))
    geometry = load_study(scan_folder(tmp_path / "dwi").series).geometry
    return Mask(np.random.default_rng(0).random(geometry.shape) > 0.5, geometry)


def test_nifti_and_dicom_give_the_same_mask(mask: Mask, tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.nii.gz", mask)
    (found,) = find_studies(scan_folder(tmp_path / "dwi"))
    write_seg(
        tmp_path / "no_extension", mask, source_images(found.dwi), algorithm_name="m", algorithm_version="1"
    )
    for name in ("mask.nii.gz", "no_extension"):
        read = read_annotation(tmp_path / name)
        np.testing.assert_array_equal(read.data, mask.data)
        assert read.geometry.difference(mask.geometry, tolerance_mm=1e-3) is None


def test_a_label_is_chosen_from_a_nifti_label_map(mask: Mask, tmp_path: Path) -> None:
    labels = mask.data * 2 + ~mask.data
    write_image(tmp_path / "labels.nii", labels.astype(np.uint8), mask.geometry)
    np.testing.assert_array_equal(read_annotation(tmp_path / "labels.nii", choice=TWO).data, mask.data)
    with pytest.raises(UserError, match="holds 2 regions: 1; 2"):
        read_annotation(tmp_path / "labels.nii")


def test_a_label_is_a_segment_number_in_dicom(real_data: Path) -> None:
    path = real_data / "dicom_seg" / "partial_overlaps.dcm"
    assert read_annotation(path, choice=TWO).data.sum() == 11888


@pytest.mark.parametrize("name", ["source_ct/01.dcm", "missing.dcm", "README.md"])
def test_anything_else_is_refused_by_name(name: str, real_data: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_annotation(real_data / "dicom_seg" / name)
    assert name in caught.value.found


def test_highdicom_is_not_imported_before_a_seg_is_read_or_written() -> None:
    code = (
        "import sys, uteroseg.dicom.assemble, uteroseg.annotations.file; sys.exit('highdicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
