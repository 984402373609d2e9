"""What tissues are made of: proton density, T2 and ADC, drawn once per patient.

Centres lie within published ranges (docs/virtual-cohorts.md); "(general)" marks general knowledge. Sources
differ up to threefold in T2, so the spreads are wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tissue:
    """One tissue of one patient.

    Parameters
    ----------
    density : float
        Proton density, 0–1; for fat and marrow what fat suppression leaves of it.
    t2_ms : float
        ms.
    adc : float
        10⁻³ mm²/s.
    texture : float
        Relative standard deviation of signal and ADC inside the tissue.
    """

    density: float
    t2_ms: float
    adc: float
    texture: float = 0.06


@dataclass(frozen=True)
class TissueRange:
    """From where a patient's tissue is drawn: centres and relative spreads (log-normal; density ± 5 %)."""

    density: float
    t2_ms: float
    adc: float
    t2_spread: float = 0.12
    adc_spread: float = 0.08
    texture: float = 0.06

    def draw(self, rng: np.random.Generator) -> Tissue:
        """Draw one patient's tissue."""
        deviates = np.clip(rng.normal(size=3), -2.2, 2.2)
        return Tissue(
            float(self.density * (1 + 0.05 * deviates[0])),
            float(self.t2_ms * np.exp(self.t2_spread * deviates[1])),
            float(self.adc * np.exp(self.adc_spread * deviates[2])),
            self.texture,
        )


TISSUES: Mapping[str, TissueRange] = {
    # density, T2, ADC
    "fat": TissueRange(0.07, 100, 0.25, 0.2, 0.2, 0.25),  # suppressed; T2 68–135
    "cavity": TissueRange(
        0.10, 90, 0.70, 0.2, 0.2, 0.35
    ),  # suppressed mesenteric fat with small vessels (general)
    "muscle": TissueRange(0.80, 36, 1.40, 0.10, 0.06, 0.08),
    "marrow": TissueRange(0.22, 49, 0.45, 0.12, 0.25, 0.15),  # red marrow between suppressed fat
    "cortex": TissueRange(0.02, 30, 0.50),  # (general)
    "disc": TissueRange(0.55, 60, 1.60, 0.3, 0.15),  # (general)
    "csf": TissueRange(0.95, 900, 3.00, 0.2, 0.03),  # (general)
    "nerve": TissueRange(0.85, 90, 1.05, 0.15, 0.12),  # (general)
    "vessel": TissueRange(
        0.75, 90, 4.00, 0.4, 0.15
    ),  # blood that flows: little is left with diffusion weighting
    "urine": TissueRange(0.95, 1200, 3.00, 0.2, 0.03, 0.02),
    "bladder wall": TissueRange(0.82, 60, 1.45, 0.12, 0.08),  # (general)
    "bowel wall": TissueRange(0.82, 70, 1.35, 0.12, 0.10, 0.12),
    "bowel fluid": TissueRange(0.90, 250, 2.30, 0.4, 0.12, 0.12),  # (general)
    "bowel mucus": TissueRange(0.85, 95, 0.95, 0.25, 0.15, 0.20),  # thick content, as dark on ADC as a tumour
    "stool": TissueRange(0.55, 35, 0.90, 0.2, 0.2, 0.3),  # (general)
    "gas": TissueRange(0.0, 10, 1.0),
    "fluid": TissueRange(0.95, 800, 2.90, 0.3, 0.03),  # free fluid in the pouch of Douglas (general)
    "vagina": TissueRange(0.82, 70, 1.50, 0.15, 0.08, 0.10),  # (general)
    "cervix": TissueRange(0.82, 80, 1.65, 0.10, 0.08, 0.08),
    "cervical canal": TissueRange(0.90, 180, 1.95, 0.3, 0.10),  # mucus and mucosa (general)
    "nabothian cyst": TissueRange(0.95, 400, 2.50, 0.3, 0.08),  # (general)
    "myometrium": TissueRange(0.85, 85, 1.57, 0.22, 0.07, 0.10),
    "junctional zone": TissueRange(0.82, 62, 1.15, 0.12, 0.10, 0.08),
    "endometrium": TissueRange(0.88, 105, 1.40, 0.35, 0.10, 0.10),
    "leiomyoma": TissueRange(0.78, 50, 1.18, 0.18, 0.14, 0.14),
    "cellular leiomyoma": TissueRange(0.84, 85, 0.98, 0.15, 0.10, 0.12),  # (general)
    "ovary": TissueRange(0.86, 115, 1.35, 0.15, 0.10, 0.12),
    "follicle": TissueRange(0.95, 600, 2.50, 0.2, 0.07, 0.03),
    "blood": TissueRange(0.80, 55, 0.95, 0.4, 0.2, 0.2),  # haematoma, endometrioma (general)
    "lymph node": TissueRange(0.86, 92, 1.15, 0.12, 0.14, 0.10),
    "cervical carcinoma": TissueRange(0.86, 87, 0.80, 0.12, 0.13, 0.14),
    "endometrial carcinoma": TissueRange(0.86, 103, 0.84, 0.22, 0.13, 0.13),
    "carcinosarcoma": TissueRange(0.86, 110, 0.98, 0.25, 0.16, 0.22),
    "sarcoma": TissueRange(0.86, 95, 0.92, 0.30, 0.17, 0.24),
    "necrosis": TissueRange(0.92, 260, 2.00, 0.35, 0.15, 0.12),  # (general)
}


def draw_tissues(rng: np.random.Generator) -> dict[str, Tissue]:
    """Draw every tissue of one patient, independently."""
    return {name: values.draw(rng) for name, values in TISSUES.items()}
