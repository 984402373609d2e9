"""Render virtual patients as a reader sees them: b 0, b 1000, ADC and the mask, six patients in two planes.

    python benchmarks/montage.py docs/images

writes ``virtual-sagittal.png`` and ``virtual-axial.png``. ``--dicom FOLDER OUT.png`` renders scanner files in
the same way, to look at beside them (never committed: a person's).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import DwiStudy
from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.patient import VirtualPatient, simulate_patient

PATIENTS = [("cervical", 1), ("uterine", 1), ("cervical", 2), ("uterine", 2), ("cervical", 3), ("uterine", 4)]
ADC_WINDOW = 3.0
ZOOM = 1.5
GREYS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--dicom", type=Path)
    chosen = parser.parse_args()
    if chosen.dicom:
        _save(_of_scanner(chosen.dicom), chosen.folder)
        return
    for acquisition in (DEFAULT, replace(DEFAULT, plane="axial")):
        rows = [_of_patient(cohort, n, chosen.seed, acquisition) for cohort, n in PATIENTS]
        _save(rows, chosen.folder / f"virtual-{acquisition.plane}.png")


def _of_patient(cohort: str, number: int, seed: int, acquisition: Acquisition) -> Array:
    patient: VirtualPatient = simulate_patient(cohort, number, seed=seed, acquisition=acquisition)
    index = int(patient.mask.data.sum(axis=(1, 2)).argmax())
    return _row(patient.study, index, patient.mask.data[index])


def _of_scanner(folder: Path) -> list[Array]:
    from uteroseg.dicom.assemble import load_study
    from uteroseg.dicom.scan import scan_folder
    from uteroseg.dicom.studies import find_studies

    (found,) = find_studies(scan_folder(folder))
    study = load_study(found.used)
    return [_row(study, index, None) for index in np.linspace(1, study.signal.shape[1] - 2, 6).astype(int)]


def _row(study: DwiStudy, index: int, mask: Array | None) -> Array:
    """b lowest, b highest, ADC and the mask's outline on b highest, beside each other."""
    low, high = study.signal[0, index], study.signal[-1, index]
    adc = study.fit().adc[index]
    panels = [_grey(low, 0, np.percentile(low, 98.8)), _grey(high, 0, np.percentile(high, 99.85))]
    panels.append(_grey(adc, 0, ADC_WINDOW))
    coloured = [np.repeat(panel[..., None], 3, axis=2) for panel in panels]
    if mask is not None:
        coloured.append(_outlined(panels[1], mask))
    return np.hstack([_zoomed(panel) for panel in coloured])


def _grey(image: Array, low: float, high: float) -> Array:
    return (np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def _outlined(panel: Array, mask: Array) -> Array:
    from scipy import ndimage

    coloured = np.repeat(panel[..., None], 3, axis=2)
    coloured[mask & ~ndimage.binary_erosion(mask)] = (255, 210, 0)
    return coloured


def _zoomed(panel: Array) -> Array:
    rows, columns = panel.shape[:2]
    size = (round(columns * ZOOM), round(rows * ZOOM))
    return np.asarray(Image.fromarray(panel).resize(size, Image.Resampling.BICUBIC))


def _save(rows: list[Array], path: Path) -> None:
    half = len(rows) // 2
    gap = np.full((sum(row.shape[0] for row in rows[:half]), 6, 3), 255, np.uint8)
    picture = np.hstack([np.vstack(rows[:half]), gap, np.vstack(rows[half:])])
    # a palette of grey levels and the outline's yellow: noise compresses badly, and nobody sees 256 of them
    levels = np.linspace(0, 255, GREYS).round().astype(int)
    indices = np.rint(picture.max(axis=2) / 255 * (GREYS - 1)).astype(np.uint8)
    indices[picture[..., 2].astype(int) + 60 < picture[..., 0]] = GREYS
    paletted = Image.fromarray(indices, mode="P")
    paletted.putpalette([*np.repeat(levels, 3).tolist(), 255, 210, 0])
    path.parent.mkdir(parents=True, exist_ok=True)
    paletted.save(path, optimize=True)


if __name__ == "__main__":
    main()
