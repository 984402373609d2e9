"""Find diffusion studies in a raw dataset of nnU-Net, or of the Medical Segmentation Decathlon.

Both have a ``dataset.json`` beside ``imagesTr``, ``labelsTr`` and perhaps ``imagesTs``. nnU-Net has a file
for each channel (``<case>_0000.nii.gz``), the Decathlon one image with a volume for each. The channels are
named in ``channel_names`` or ``modality``: ``b0``, ``DWI_b1000``.

References
----------
nnU-Net v2, documentation/dataset_format.md. Antonelli M et al., The Medical Segmentation Decathlon, Nature
Communications 2022;13:4128.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.nifti import read_image
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.intake.study import FileStudy, require_usable

DESCRIPTION = "dataset.json"
_SPLITS = {"Tr": "train", "Ts": "test"}
_B_VALUE = re.compile(r"(?<![a-z0-9])b[ _=-]?(?:value)?[ _=-]?(\d+(?:\.\d+)?)(?![0-9a-z.])", re.IGNORECASE)
_CHANNEL = re.compile(r"(.+)_(\d{4})")
_FIX = "correct dataset.json."


@dataclass(frozen=True)
class _About:
    """What ``dataset.json`` says.

    Parameters
    ----------
    channels : tuple of str
    b_values : mapping of int to float
        The channels that are diffusion images.
    tumour, labels : frozenset of int
        The values that mean tumour; all that a label map may hold.
    """

    channels: tuple[str, ...]
    b_values: Mapping[int, float]
    tumour: frozenset[int]
    labels: frozenset[int]


def find_nnunet(source: Path, *, label: str | None = None) -> list[FileStudy]:
    """Find the studies of a raw dataset; training cases are ``train``, test cases ``test``.

    Parameters
    ----------
    source : Path
        The folder with ``dataset.json``.
    label : str, optional
        The tumour's name in ``labels``, where there are several.

    Raises
    ------
    UserError
        If ``dataset.json`` does not say which channels have which b-value or which label is the tumour, or
        there is no image.
    """
    json = read_json(source / DESCRIPTION)
    labels = _labels(json, label)
    channels = _channels(json)
    known = frozenset(v for name, values in labels.items() if name != "ignore" for v in values)
    about = _About(channels, _b_values(channels), labels[_tumour(labels, label)], known | {0})
    as_decathlon = is_decathlon(source)
    studies = [
        _study(source, ending, name, files, about)
        for ending in _SPLITS
        for name, files in _cases(source / f"images{ending}", by_channel=not as_decathlon).items()
    ]
    if not studies:
        raise UserError(
            f"{source / 'imagesTr'} holds no NIfTI image.",
            expected="<case>_0000.nii.gz … (nnU-Net) or <case>.nii.gz (Medical Segmentation Decathlon).",
            fix="convert the images to NIfTI first.",
        )
    return studies


def is_decathlon(source: Path) -> bool:
    """Whether images hold all channels: each has a label of just its name, and nnU-Net 2's key is missing."""
    if "channel_names" in read_json(source / DESCRIPTION):
        return False
    return all((source / "labelsTr" / path.name).is_file() for path in _images(source / "imagesTr"))


def _study(source: Path, ending: str, name: str, files: list[Path], about: _About) -> FileStudy:
    labels = (source / f"labels{ending}" / f"{name}{suffix}" for suffix in (".nii.gz", ".nii"))
    label = next((path for path in labels if path.is_file()), None)
    return FileStudy(
        name=f"images{ending}/{name}",
        patient=_patient(name),
        load=partial(_load, files, about),
        load_mask=partial(_load_mask, label, about) if label else None,
        split=_SPLITS[ending],
        left_out=tuple(c for index, c in enumerate(about.channels) if index not in about.b_values),
    )


def _patient(name: str) -> str:
    """Of a case that is named as ours are, its participant; else every case is a patient."""
    try:
        return CaseId.parse(name).participant
    except UserError:
        return name


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[!.]*") if path.name.endswith((".nii.gz", ".nii")))


def _cases(folder: Path, *, by_channel: bool) -> dict[str, list[Path]]:
    cases: dict[str, list[Path]] = {}
    for path in _images(folder):
        name = path.name.removesuffix(".gz").removesuffix(".nii")
        match = _CHANNEL.fullmatch(name) if by_channel else None
        cases.setdefault(match[1] if match else name, []).append(path)
    return cases


def _load(files: list[Path], about: _About) -> DwiStudy:
    volumes, geometry = read_image(files[0])
    if len(files) == 1 and volumes.ndim == 4:
        images = list(volumes)
    else:
        images = [volumes]
        for path in files[1:]:
            image, grid = read_image(path)
            grid.require_same(geometry, what=f"{files[0].name} and {path.name}", fix="resample one of them.")
            images.append(image)
    if len(images) != len(about.channels) or any(image.ndim != 3 for image in images):
        raise UserError(
            f"{files[0]}: {len(images)} images for the {len(about.channels)} channels of dataset.json.",
            expected=f"one 3-D image for each of {', '.join(about.channels)}.",
            fix="add the missing images, or correct dataset.json.",
        )
    order = sorted(about.b_values, key=lambda index: about.b_values[index])
    return DwiStudy(
        np.stack([images[index] for index in order]),
        tuple(about.b_values[index] for index in order),
        geometry,
        acquisition={"b_value_source": "channel names in dataset.json"},
    )


def _load_mask(path: Path, about: _About, study: DwiStudy) -> tuple[Mask, Mapping[str, Any]]:
    image, geometry = read_image(path)
    geometry.require_same(study.geometry, what=f"{path} and its images", fix="resample the label map.")
    if unknown := [value for value in np.unique(image) if value not in about.labels]:
        raise UserError(
            f"{path} holds {', '.join(f'{value:g}' for value in unknown[:5])}.",
            expected=f"labels of dataset.json: {', '.join(map(str, sorted(about.labels)))}.",
            fix="correct the label map; voxels to ignore have to be decided.",
        )
    mask = Mask(np.isin(image, sorted(about.tumour)), study.geometry)
    return mask, {"annotation_source": "DWI", "tool": "unknown"}


def _channels(json: Mapping[str, Any]) -> tuple[str, ...]:
    named = json.get("channel_names") or json.get("modality")
    if not isinstance(named, dict) or not all(str(key).isdecimal() for key in named):
        raise UserError(
            "dataset.json has neither channel_names nor modality.",
            expected='such as "channel_names": {"0": "b0", "1": "b1000"}.',
            fix=_FIX,
        )
    return tuple(str(named[key]) for key in sorted(named, key=int))


def _b_values(channels: tuple[str, ...]) -> dict[int, float]:
    found = {index: float(m[1]) for index, name in enumerate(channels) if (m := _B_VALUE.search(name))}
    require_usable(
        list(found.values()),
        where=f"the channels {', '.join(channels)}",
        fix="name the channels by their b-values in dataset.json: b0, b1000.",
    )
    return found


def _labels(json: Mapping[str, Any], label: str | None) -> dict[str, frozenset[int]]:
    """Values by name, from nnU-Net's ``{name: value or values}`` or the Decathlon's ``{value: name}``."""
    labels = {}
    try:
        for key, value in json["labels"].items():
            if str(key).isdecimal():
                labels[str(value)] = frozenset({int(key)})
            else:
                labels[str(key)] = frozenset(map(int, value if isinstance(value, list) else [value]))
    except (KeyError, AttributeError, TypeError, ValueError):
        raise UserError(
            "dataset.json has no usable labels.",
            expected='such as "labels": {"background": 0, "tumour": 1}.',
            fix=_FIX,
        ) from None
    return labels


def _tumour(labels: Mapping[str, frozenset[int]], label: str | None) -> str:
    """The name of the label that is the tumour."""
    names = [name for name, values in labels.items() if values != {0} and name != "ignore"]
    if label is None and len(names) == 1:
        return names[0]
    if label not in names:
        raise UserError(
            f"dataset.json has the labels {', '.join(names) or 'of background alone'}"
            f"{f', and not {label!r}' if label else ''}.",
            expected="one that is the tumour.",
            fix="say which with --label NAME.",
        )
    return str(label)
