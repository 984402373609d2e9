"""What programs that are not ours find in a SEG, and what a validator says of any object."""

import shutil
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import SimpleITK as sitk

from uteroseg.imaging.geometry import Geometry

DCMQI = Path(sys.executable).with_name("segimage2itkimage")


def by_highdicom(path: Path, grid: Geometry) -> np.ndarray:
    """The voxels of a grid that are set."""
    volume = hd.seg.segread(path).get_volume(segment_numbers=[1], combine_segments=True)
    points = np.argwhere(volume.array > 0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return _on(grid, points)


def by_dcmqi(path: Path, grid: Geometry) -> np.ndarray:
    """The voxels of a grid that are set, in the image that dcmqi makes of the segment."""
    folder = path.with_name("dcmqi")
    folder.mkdir()
    command = [DCMQI, "--inputDICOM", path, "--outputDirectory", folder]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    image = sitk.ReadImage(folder / "1.nrrd")
    shutil.rmtree(folder)
    spacing, directions = np.array(image.GetSpacing()), np.reshape(image.GetDirection(), (3, 3))
    index = np.argwhere(sitk.GetArrayViewFromImage(image))[:, ::-1]
    return _on(grid, (index * spacing) @ directions.T + image.GetOrigin())


def _on(grid: Geometry, points: np.ndarray) -> np.ndarray:
    index = grid.to_index(points)
    assert np.abs(index - index.round()).max(initial=0) < 0.3  # of a voxel: the grid's directions are rounded
    found = np.zeros(grid.shape, bool)
    found[tuple(index.round().astype(int).T)] = True
    return found


def dciodvfy_errors(path: Path, *, uids: bool = True) -> list[str]:
    """What dicom3tools' validator calls an error, also of UIDs or not; nothing where it is absent."""
    if not shutil.which("dciodvfy"):
        return []
    printed = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
    assert "Segmentation" in printed or "SR" in printed  # it ran and recognised the object
    errors = [line for line in printed.splitlines() if line.startswith("Error")]
    if uids:
        return errors
    return [e for e in errors if "UID" not in e and "contains invalid data values" not in e]  # the total
