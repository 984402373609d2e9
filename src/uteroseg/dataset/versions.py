"""Versions of an annotation: what tells them apart, and where they go when another takes their place."""

from __future__ import annotations

import filecmp
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.errors import UserError
from uteroseg.files import read_json, staged_folder
from uteroseg.imaging.formats import companion
from uteroseg.imaging.nifti import read_mask
from uteroseg.imaging.study import Mask


def version_fields(mask: Mask, parent: str | None) -> dict[str, str | None]:
    """What a mask's sidecar says of its version: a hash of its voxels and its parent, and the parent."""
    return {"version": _version(_voxels(mask), parent), "parent": parent}


def keep_version(image: Path, history: Path) -> str:
    """Keep a mask and its sidecar among earlier versions, before another takes their place.

    Each version has a folder ``<number>-<version>`` that appears whole and is never written again. What was
    kept already, by a run that was killed before it went on, is not kept twice.

    Parameters
    ----------
    image : Path
        The mask's file.
    history : Path
        Folder of the case's earlier versions.

    Returns
    -------
    str
        Its version, the parent of what follows.
    """
    sidecar = companion(image, "json")
    stated = _fields(sidecar)
    version = _version_in(image, stated)
    if version != stated.get("version"):
        for folder in history.glob(f"*-{stated.get('parent')}"):
            if _same(image, folder):  # killed when the next one's sidecar was in place, and its mask not yet
                return str(stated["parent"])
    if not any(_same(image, folder) and _same(sidecar, folder) for folder in history.glob(f"*-{version}")):
        numbers = [int(folder.name[:4]) for folder in history.glob("[0-9][0-9][0-9][0-9]-*")]
        with staged_folder(history / f"{max(numbers, default=0) + 1:04d}-{version}") as folder:
            for file in (image, sidecar):
                if file.is_file():
                    shutil.copyfile(file, folder / file.name)
    return version


def _version_in(image: Path, stated: Mapping[str, Any]) -> str:
    """The version of a mask in a file; one that was edited there follows the one that its sidecar names."""
    try:
        content = _voxels(read_mask(image))
    except UserError:
        content = image.read_bytes()
    version = _version(content, stated.get("parent"))
    if stated.get("version") in (None, version):
        return version
    return _version(content, stated["version"])


def _fields(sidecar: Path) -> Mapping[str, Any]:
    try:
        return read_json(sidecar)
    except UserError:  # missing, or damaged
        return {}


def _same(file: Path, folder: Path) -> bool:
    kept = folder / file.name
    return file.is_file() == kept.is_file() and (not file.is_file() or filecmp.cmp(file, kept, shallow=False))


def _voxels(mask: Mask) -> bytes:
    return str(mask.data.shape).encode() + np.packbits(mask.data).tobytes()


def _version(content: bytes, parent: object) -> str:
    return hashlib.sha256(str(parent or "").encode() + b" " + content).hexdigest()[:16]
