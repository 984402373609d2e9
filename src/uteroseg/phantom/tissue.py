"""What tissues are made of: proton density, T2, ADC and perfusion, drawn once per patient.

Centres are published values where there are any (docs/virtual-cohorts.md); "(general)" marks general
knowledge. Sources differ up to threefold in T2, so the spreads are wide. Values are those at 3 T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

POOR = "cervical carcinoma, poor"
"""The tissue of a poorly differentiated carcinoma of the cervix."""

PSEUDO_DIFFUSION = 15.0
"""D* of blood in capillaries, 10⁻³ mm²/s (general: 10–20)."""

_POORLY_DIFFERENTIATED = 0.4
_ADC_B = 1.0  # 10³ s/mm²: the published ADC are of b 0 and about 1000


@dataclass(frozen=True)
class Tissue:
    """One tissue of one patient.

    Parameters
    ----------
    density : float
        Proton density, 0–1; for fat and marrow what fat suppression leaves of it.
    t2_ms : float
        ms, at 3 T.
    adc : float
        10⁻³ mm²/s, as measured between b 0 and 1000 s/mm², perfusion included.
    texture : float
        Relative standard deviation of signal and diffusion inside the tissue.
    perfusion : float
        f, the share of the signal that comes from blood in capillaries.
    fat : float
        Share of it that is fat: what suppression can fail on.
    """

    density: float
    t2_ms: float
    adc: float
    texture: float = 0.06
    perfusion: float = 0.0
    fat: float = 0.0

    @property
    def diffusion(self) -> float:
        """D without perfusion (10⁻³ mm²/s), such that the ADC between b 0 and 1000 is ``adc``.

        Solves ``exp(−b · ADC) = (1 − f) · exp(−b · D) + f · exp(−b · D*)`` for b = 1000 s/mm².
        """
        static = np.exp(-_ADC_B * self.adc) - self.perfusion * np.exp(-_ADC_B * PSEUDO_DIFFUSION)
        return float(-np.log(static / (1 - self.perfusion)) / _ADC_B)


@dataclass(frozen=True)
class TissueRange:
    """From where a patient's tissue is drawn: centres and relative spreads (log-normal; density ± 5 %)."""

    density: float
    t2_ms: float
    adc: float
    t2_spread: float = 0.12
    adc_spread: float = 0.08
    texture: float = 0.06
    perfusion: float = 0.0
    fat: float = 0.0

    def draw(self, rng: np.random.Generator) -> Tissue:
        """Draw one patient's tissue; perfusion varies by 6 %."""
        deviates = np.clip(rng.normal(size=4), -2.2, 2.2)
        return Tissue(
            float(self.density * (1 + 0.05 * deviates[0])),
            float(self.t2_ms * np.exp(self.t2_spread * deviates[1])),
            float(self.adc * np.exp(self.adc_spread * deviates[2])),
            self.texture,
            float(self.perfusion * (1 + 0.06 * deviates[3])),
            self.fat,
        )


TISSUES: Mapping[str, TissueRange] = {
    # density, T2, ADC, their spreads, texture, f; perfusion is general knowledge but for cervical cancer
    "fat": TissueRange(0.06, 100, 0.15, 0.20, 0.25, 0.20, fat=1.0),  # suppressed
    # mesenteric fat with small vessels, suppressed (general)
    "cavity": TissueRange(0.08, 90, 0.60, 0.20, 0.20, 0.22, fat=0.8),
    "muscle": TissueRange(0.82, 37, 1.40, 0.10, 0.06, 0.12, 0.05),
    "marrow": TissueRange(0.25, 49, 0.35, 0.12, 0.25, 0.22, fat=0.5),  # red marrow between suppressed fat
    "cortex": TissueRange(0.02, 30, 0.50),  # (general)
    "disc": TissueRange(0.55, 60, 1.60, 0.30, 0.15),  # (general)
    "csf": TissueRange(0.95, 900, 3.00, 0.20, 0.03),  # (general)
    "nerve": TissueRange(0.85, 90, 1.05, 0.15, 0.12),  # (general)
    # blood that flows: little is left with diffusion weighting (general)
    "vessel": TissueRange(0.75, 90, 4.00, 0.40, 0.15),
    "urine": TissueRange(0.95, 1200, 3.00, 0.20, 0.03, 0.02),
    "bladder wall": TissueRange(0.82, 60, 1.45, 0.12, 0.08, perfusion=0.08),  # (general)
    "bowel wall": TissueRange(0.82, 70, 1.40, 0.12, 0.10, 0.12, 0.12),
    "bowel fluid": TissueRange(0.90, 250, 2.30, 0.40, 0.12, 0.12),  # (general)
    "bowel mucus": TissueRange(0.85, 95, 0.95, 0.25, 0.15, 0.20),  # thick content, as dark on ADC as a tumour
    "stool": TissueRange(0.55, 35, 0.90, 0.20, 0.20, 0.30),  # (general)
    "gas": TissueRange(0.0, 10, 1.0),
    "fluid": TissueRange(0.95, 800, 2.90, 0.30, 0.03),  # free fluid in the pouch of Douglas (general)
    "vagina": TissueRange(0.82, 70, 1.50, 0.15, 0.08, 0.10, 0.08),  # (general)
    "cervix": TissueRange(0.82, 83, 1.71, 0.10, 0.12, 0.10, 0.08),
    "cervical canal": TissueRange(0.90, 180, 1.95, 0.30, 0.10),  # mucus and mucosa (general)
    "nabothian cyst": TissueRange(0.95, 400, 2.50, 0.30, 0.08),  # (general)
    "myometrium": TissueRange(0.85, 78, 1.57, 0.15, 0.07, 0.12, 0.12),
    "secretory myometrium": TissueRange(0.85, 138, 1.57, 0.14, 0.07, 0.12, 0.12),  # luteal
    "junctional zone": TissueRange(0.82, 61, 1.13, 0.12, 0.15, 0.10, 0.08),
    "endometrium": TissueRange(0.88, 78, 1.44, 0.25, 0.10, 0.10, 0.08),
    "secretory endometrium": TissueRange(0.90, 214, 1.44, 0.16, 0.10, 0.10, 0.08),  # luteal
    "menstrual endometrium": TissueRange(0.86, 85, 1.25, 0.25, 0.12, 0.18, 0.05),  # bleeding (general)
    "polyp": TissueRange(0.87, 110, 1.35, 0.20, 0.12, 0.14, 0.10),  # (general)
    "biopsy change": TissueRange(0.86, 95, 1.10, 0.20, 0.12, 0.18, 0.10),  # inflammation (general)
    "proteinaceous cyst": TissueRange(0.92, 200, 1.35, 0.40, 0.20, 0.06),  # (general)
    "leiomyoma": TissueRange(0.78, 50, 1.18, 0.18, 0.18, 0.14, 0.08),
    "degenerated leiomyoma": TissueRange(0.84, 95, 1.70, 0.30, 0.07, 0.18),  # T2 (general)
    "cellular leiomyoma": TissueRange(0.84, 85, 0.98, 0.15, 0.10, 0.12, 0.08),  # (general)
    "ovary": TissueRange(0.86, 126, 1.45, 0.15, 0.10, 0.12, 0.08),
    "follicle": TissueRange(0.95, 603, 2.55, 0.20, 0.07, 0.03),
    "blood": TissueRange(0.80, 55, 0.95, 0.40, 0.20, 0.20),  # haematoma, endometrioma (general)
    "lymph node": TissueRange(0.86, 90, 1.30, 0.12, 0.14, 0.10, 0.05),
    "parametrium": TissueRange(0.30, 85, 1.60, 0.20, 0.12, 0.30),  # suppressed fat with veins (general)
    "metastatic node": TissueRange(0.86, 90, 0.90, 0.12, 0.14, 0.12, 0.05),
    "cervical carcinoma": TissueRange(0.86, 93, 0.76, 0.11, 0.13, 0.14, 0.087),
    POOR: TissueRange(0.86, 84, 0.65, 0.12, 0.17, 0.14, 0.087),
    "endometrial carcinoma": TissueRange(0.86, 103, 0.83, 0.22, 0.11, 0.13, 0.08),
    "endometrial carcinoma rim": TissueRange(0.86, 78, 1.06, 0.15, 0.12, 0.12, 0.10),  # T2 (general)
    "carcinosarcoma": TissueRange(0.86, 110, 0.98, 0.25, 0.16, 0.22, 0.08),  # (general)
    "sarcoma": TissueRange(0.86, 95, 0.86, 0.30, 0.13, 0.24, 0.08),  # T2 (general)
    # sheets of connective tissue with small vessels in fat (general)
    "septum": TissueRange(0.34, 50, 1.20, 0.15, 0.10, 0.30, 0.05),
    # of the femoral heads and shafts: nearly all of it fat, suppressed
    "yellow marrow": TissueRange(0.09, 60, 0.35, 0.15, 0.25, 0.25, fat=0.9),
    # arteries: fast flow leaves nothing (general)
    "flow void": TissueRange(0.12, 90, 3.00, 0.30, 0.15),
    "vessel wall": TissueRange(0.80, 60, 1.60, 0.15, 0.10, 0.10, 0.08),  # (general)
    "necrosis": TissueRange(0.92, 260, 2.00, 0.35, 0.15, 0.12),  # (general)
}


def draw_tissues(rng: np.random.Generator) -> dict[str, Tissue]:
    """Draw every tissue of one patient, independently.

    The tissue ``cervical carcinoma`` is the patient's own, well or moderately (six of ten, an assumption) or
    poorly differentiated.
    """
    poor = rng.random() < _POORLY_DIFFERENTIATED
    tissues = {name: values.draw(rng) for name, values in TISSUES.items()}
    if poor:
        tissues["cervical carcinoma"] = tissues[POOR]
    return tissues
