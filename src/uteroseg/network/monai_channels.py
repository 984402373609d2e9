"""The channels that the network sees, from the images at every b-value.

This file is part of every MONAI bundle that ``uteroseg export`` writes, and knows nothing of uteroseg:
numpy, and torch and monai where the transform is called. A test holds its channels equal to those of
`uteroseg.model.prepare.PreparedStudy.channels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class DiffusionChannelsd:
    """Replace ``image``, shape (b-values, …), by the network's channels, shape (channels, …).

    Parameters
    ----------
    channels : sequence of str
        Some of ``b0``, ``b1000`` and ``adc``.
    high_b, same_b : float
        The b-value of ``b1000``, and how near a measured one must be, s/mm².
    max_adc : float
        10⁻³ mm²/s.
    body_share : float
        The body is where the image of the lowest b-value exceeds this share of its 99th percentile.
    """

    def __init__(
        self, channels: Sequence[str], high_b: float, same_b: float, max_adc: float, body_share: float
    ) -> None:
        self.channels = channels
        self.constants = {
            "high_b": high_b,
            "same_b": same_b,
            "max_adc": max_adc,
            "body_share": body_share,
        }

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Read the b-values from the file under ``bval``, and replace ``image``."""
        import torch
        from monai.data import MetaTensor

        image = data["image"]
        b_values = np.array(Path(data["bval"]).read_text("utf-8").split(), float)
        order = np.argsort(b_values)
        found = diffusion_channels(np.asarray(image)[order], b_values[order], **self.constants)
        chosen = torch.from_numpy(np.stack([found[name] for name in self.channels]))
        return {**data, "image": MetaTensor(chosen, meta=image.meta)}


class SaveMaskd:
    """Write ``pred`` as ``<image>_mask.nii.gz`` on the grid of the image.

    Parameters
    ----------
    output_dir : str
    """

    def __init__(self, output_dir: str) -> None:
        self.output_dir = Path(output_dir)

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Write the mask."""
        import nibabel as nib

        mask = data["pred"]
        name = Path(str(mask.meta["filename_or_obj"])).name.removesuffix(".nii.gz")
        self.output_dir.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(np.asarray(mask[0], np.uint8), np.asarray(mask.meta["original_affine"]))
        nib.save(image, self.output_dir / f"{name}_mask.nii.gz")
        return data


def diffusion_channels(
    signal: Array, b_values: Array, *, high_b: float, same_b: float, max_adc: float, body_share: float
) -> dict[str, Array]:
    """Every channel by name, float32: ``b0`` and ``b1000`` over the body's median, ``adc`` in 10⁻³ mm²/s."""
    body = signal[0] > body_share * np.percentile(signal[0], 99)
    scale = np.median(signal[0][body])
    defined = (signal > 0).all(axis=0)
    logarithm = np.log(np.where(defined, signal, 1).astype(np.float64))
    centred = b_values - b_values.mean()
    slope = np.tensordot(centred / (centred**2).sum(), logarithm, axes=1)
    log_s0 = logarithm.mean(axis=0) - b_values.mean() * slope
    nearest = int(np.argmin(abs(b_values - high_b)))
    if abs(b_values[nearest] - high_b) <= same_b:
        high = signal[nearest]
    else:
        high = np.minimum(np.where(defined, np.exp(log_s0 + high_b * slope), 0), signal[0])
    adc = np.clip(np.where(defined, -1000 * slope, 0), 0, max_adc) * body
    found = {"b0": signal[0] / scale, "b1000": high / scale, "adc": adc}
    return {name: channel.astype(np.float32) for name, channel in found.items()}
