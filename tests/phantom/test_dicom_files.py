import shutil
import subprocess

import numpy as np
import pydicom
import pytest

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.phantom.patient import simulate_patient

AXIAL, SAGITTAL = (
    Acquisition(plane=p, matrix=(40, 48), spacing_mm=4, slices=5) for p in ("axial", "sagittal")
)


@pytest.fixture(scope="module", params=[AXIAL, SAGITTAL], ids=["axial", "sagittal"])
def study(request):
    return simulate_patient("uterine", 1, seed=3, acquisition=request.param).study


@pytest.fixture
def folder(study, tmp_path):
    write_dicom(study, tmp_path / "out", patient_id="virtual-1", seed=3)
    return tmp_path / "out"


def test_positions_reproduce_the_geometry(study, folder):
    files = [pydicom.dcmread(path) for path in sorted(folder.iterdir())][: study.geometry.shape[0]]
    positions = np.array([f.ImagePositionPatient for f in files], float)
    first = files[0]
    geometry = Geometry.from_dicom(
        (len(files), first.Rows, first.Columns),
        position=positions[0],
        orientation=first.ImageOrientationPatient,
        pixel_spacing=first.PixelSpacing,
        slice_step=positions[1] - positions[0],
    )
    assert geometry.difference(study.geometry, tolerance_mm=1e-4) is None
    assert float(first.SpacingBetweenSlices) == 4.5


def test_pixels_and_b_values_are_kept_exactly(study, folder):
    files = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    image = np.stack([f.pixel_array for f in files]).reshape(study.signal.shape)
    np.testing.assert_array_equal(image, study.signal)
    assert [int(f[0x0019, 0x100C].value) for f in files] == [0] * 5 + [1000] * 5
    assert {f.DiffusionBValue for f in files} == {0.0, 1000.0}
    assert files[-1].SequenceName == "*ep_b1000t"
    assert len({f.SOPInstanceUID for f in files}) == len(files)
    assert len({f.SeriesInstanceUID for f in files}) == 1
    assert "virtual" in files[0].SeriesDescription


def test_writing_again_gives_the_same_bytes(study, folder, tmp_path):
    write_dicom(study, tmp_path / "again", patient_id="virtual-1", seed=3)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_folder_that_holds_something_is_refused(study, folder):
    with pytest.raises(UserError, match="empty"):
        write_dicom(study, folder, patient_id="virtual-1", seed=3)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian dicom3tools) is not installed")
def test_dciodvfy_finds_no_errors(folder):
    for path in (folder / "MR0001.dcm", folder / "MR0010.dcm"):
        told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        assert "Error" not in told.stdout + told.stderr
