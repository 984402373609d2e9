"""Small folders of real scanner files, as (name, bytes) pairs, for trials that damage them."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from random import Random

import pydicom

Files = dict[str, bytes]

SLICES = 3


def sample(data: Path, random: Random) -> tuple[str, Files]:
    """Choose a sample; the classic ones are a few slices with all of their b-values."""
    name = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    if name == "prostatex":
        patient = random.choice(("0000", "0001"))
        return name, _slices(data, (f"prostatex/{patient}/dwi", f"prostatex/{patient}/adc"), random)
    if name == "prostatex other series":
        return name, _slices(data, ("prostatex/0000/dwi", "prostatex/0000/calculated_b"), random)
    if name == "canon classic":
        return name, _slices(data, ("canon_galan/classic",), random)
    if name == "canon enhanced":
        return name, _whole(data, "canon_galan/enhanced")
    if name == "xa30 enhanced":
        return name, _whole(data, "siemens_xa30_enhanced")
    if name == "philips enhanced":
        return name, _whole(data, "philips_enhanced_header_only")
    both = {f"seg/{key}": value for key, value in _whole(data, "dicom_seg").items()}
    return name, both | _slices(data, ("prostatex/0000/dwi",), random)


_WEIGHTS = {
    "prostatex": 48,
    "prostatex other series": 10,
    "canon classic": 10,
    "canon enhanced": 2,
    "xa30 enhanced": 10,
    "philips enhanced": 12,
    "seg beside dwi": 8,
}


def _slices(data: Path, folders: tuple[str, ...], random: Random) -> Files:
    """Files of some neighbouring slices, the same in every folder."""
    positions = sorted({position for folder in folders for position, _ in _by_position(data, folders[0])})
    start = random.randrange(len(positions) - SLICES + 1)
    wanted = positions[start : start + SLICES]
    return {
        f"{folder.rsplit('/', 1)[-1]}/{path.name}": _bytes(path)
        for folder in folders
        for position, path in _by_position(data, folder)
        if position in wanted
    }


@cache
def _by_position(data: Path, folder: str) -> tuple[tuple[float, Path], ...]:
    found = defaultdict(list)
    for path in sorted((data / folder).iterdir()):
        header = pydicom.dcmread(path, specific_tags=["ImagePositionPatient"], stop_before_pixels=True)
        found[round(float(header.ImagePositionPatient[2]), 1)].append(path)
    return tuple((position, path) for position, paths in found.items() for path in paths)


@cache
def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _whole(data: Path, folder: str) -> Files:
    return {path.name: _bytes(path) for path in sorted((data / folder).iterdir()) if path.suffix == ".dcm"}
