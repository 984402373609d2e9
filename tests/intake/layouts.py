"""Made-up folders as other programs write them."""

import json

import numpy as np
import SimpleITK as sitk

from tests import tiny
from uteroseg.imaging.nifti import write_image


def nifti(folder, name, *, seed=1, sidecar=None, ending="nii.gz", **options):
    """A study as NIfTI with .bval; the study and its tumour."""
    study, mask = tiny.study(seed, **options)
    image = folder / f"{name}.{ending}"
    image.parent.mkdir(parents=True, exist_ok=True)
    write_image(image, study.signal, study.geometry)
    image.with_name(f"{image.name.removesuffix('.' + ending)}.bval").write_text(
        " ".join(f"{b:g}" for b in study.b_values)
    )
    if sidecar is not None:
        (folder / f"{name}.json").write_text(json.dumps(sidecar))
    return study, mask


def nnunet(
    root,
    cases,
    *,
    about=None,
    channels=("b0", "b1000", "T2"),
    images=lambda study: (*study.signal, study.signal[0]),
    label_value=1,
    ending="nii.gz",
    label="{}",
    **options,
):
    """A raw dataset of nnU-Net 2: ``cases`` are (Tr or Ts, name, seed); None in ``about`` is left out."""
    made = {}
    for part, name, seed in cases:
        study, mask = tiny.study(seed, **options)
        for index, image in enumerate(images(study)[: len(channels)]):
            _image(root / f"images{part}" / f"{name}_{index:04d}.{ending}", image, study.geometry)
        values = mask.data.astype(np.uint8) * np.uint8(label_value)
        _image(root / f"labels{part}" / f"{label.format(name)}.{ending}", values, study.geometry)
        made[name] = study, mask
    _describe(
        root,
        {
            "channel_names": {str(i): channel for i, channel in enumerate(channels)},
            "labels": {"background": 0, "tumour": label_value},
            "file_ending": f".{ending}",
            **(about or {}),
        },
    )
    return made


def decathlon(root, cases, *, about=None):
    """A task of the Decathlon: all b-values in one image, test cases without label."""
    made = {}
    for ending, name, seed in cases:
        study, mask = tiny.study(seed)
        path = root / f"images{ending}" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, study.signal[::-1], study.geometry)
        path.with_name(f"._{path.name}").write_bytes(b"what macOS leaves in an archive")
        if ending == "Tr":
            _image(root / "labelsTr" / f"{name}.nii.gz", mask.data.astype(np.uint8), mask.geometry)
        made[name] = study, mask
    _describe(
        root,
        {
            "modality": {"0": "DWI b-value 1000", "1": "b=0"},
            "labels": {"0": "background", "1": "cancer"},
            **(about or {}),
        },
    )
    return made


def _image(path, data, geometry):
    """By NIfTI, or by SimpleITK in a format of ITK."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if ".nii" in path.name:
        write_image(path, data, geometry)
        return
    image = sitk.GetImageFromArray(data)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.affine[:3, 3])
    image.SetDirection((geometry.affine[:3, 2::-1] / geometry.spacing[::-1]).ravel())
    sitk.WriteImage(image, str(path))


def _describe(root, values):
    described = {key: value for key, value in values.items() if value is not None}
    (root / "dataset.json").write_text(json.dumps(described))
