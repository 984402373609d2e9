"""Made-up folders as other programs write them."""

import json

import nibabel as nib
import numpy as np

from tests import tiny
from uteroseg.imaging.nifti import write_image, write_mask


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


def nnunet(root, cases, *, about=None, channels=("b0", "b1000", "T2"), label_value=1):
    """A raw dataset of nnU-Net 2: ``cases`` are (Tr or Ts, name, seed)."""
    made = {}
    for ending, name, seed in cases:
        study, mask = tiny.study(seed)
        images = (*study.signal, study.signal[0])[: len(channels)]
        for index, image in enumerate(images):
            path = root / f"images{ending}" / f"{name}_{index:04d}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, image, study.geometry)
        _label(root / f"labels{ending}" / f"{name}.nii.gz", mask, label_value)
        made[name] = study, mask
    _describe(
        root,
        {
            "channel_names": {str(i): channel for i, channel in enumerate(channels)},
            "labels": {"background": 0, "tumour": label_value},
            "file_ending": ".nii.gz",
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
            _label(root / "labelsTr" / f"{name}.nii.gz", mask, 1)
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


def _label(path, mask, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, mask)
    if value != 1:
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * np.uint8(value), image.affine), path)


def _describe(root, values):
    (root / "dataset.json").write_text(json.dumps(values))
