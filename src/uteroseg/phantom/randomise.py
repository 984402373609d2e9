"""Domain randomisation: contrasts, coils, blur and noise beyond what is realistic, for pretraining.

Every tissue of a patient gets a normal distribution of its own, so that an image is a Gaussian mixture, as in
SynthSeg (Billot B et al., Med Image Anal 2023;86:102789); the signal stays one of density, T2 and diffusion.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uteroseg.phantom.acquisition import Acquisition, Artefacts
from uteroseg.phantom.tissue import POOR, TISSUES, Tissue

COIL_CONTRAST = 2.0
"""How much more uneven coils are in this mode."""


def random_tissues(rng: np.random.Generator) -> dict[str, Tissue]:
    """Tissues of one patient with any density, T2, ADC and texture; only gas stays without signal."""
    tissues: dict[str, Tissue] = {}
    for name in TISSUES:
        low, high = np.log([[25, 0.15, 0.02], [500, 3.2, 0.35]])
        t2_ms, adc, texture = np.exp(rng.uniform(low, high))
        tissues[name] = Tissue(
            float(rng.uniform(0.1, 1)), float(t2_ms), float(adc), float(texture), float(rng.uniform(0, 0.15))
        )
    tissues["gas"] = replace(tissues["gas"], density=0.0)
    tissues["cervical carcinoma"] = tissues[POOR]
    return tissues


def random_scan(rng: np.random.Generator, acquisition: Acquisition) -> Acquisition:
    """The same grid and b-values with any noise, blur and artefacts."""
    distortion, fat, ghost, motion = rng.uniform(0, [1.5, 0.5, 0.12, 2.0])
    return replace(
        acquisition,
        snr=float(np.exp(rng.uniform(np.log(8), np.log(120)))),
        blur_pixels=(float(rng.uniform(0.2, 1.2)), float(rng.uniform(0.2, 1.4))),
        noise_pixels=float(rng.uniform(0, 0.8)),
        artefacts=Artefacts(float(distortion), float(fat), float(ghost), float(motion), float(motion) / 2),
    )
