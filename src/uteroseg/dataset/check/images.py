"""Check a case's images: files, grid, b-values, signal, noise, ghost, the scanner's ADC."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from uteroseg.dataset.check.finding import Finding, error, refused, warning
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.study_files import read_b_values
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.diffusion import fit_adc
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.nifti import forms_apart_mm, read_image
from uteroseg.imaging.quality import body_in, ghost_level, noise_sd

MIN_SNR = 3.0
"""Median signal of the body over the noise at the highest b-value; below it Rician noise bends the ADC."""
MAX_GHOST = 0.08
"""Level of the Nyquist ghost; virtual scanners reach 0.05."""
HIGH_B = 500.0
"""The highest b-value should reach it, s/mm²: below, perfusion and T2 shine decide."""
LOW_B = 200.0
"""The lowest b-value should not exceed it, s/mm²."""
_IMPOSSIBLE_B = 10_000.0
_SPACING_MM = (0.3, 15.0)
_FORMS_MM = 1.0
_ADC_AGREES = (0.85, 1.18)
"""Median ratio of the scanner's ADC to ours."""


@dataclass
class CheckedImages:
    """What is known of a case's images.

    Parameters
    ----------
    findings : list of Finding
    geometry : Geometry, optional
        None where the image cannot be read.
    signal, adc, body : ndarray, optional
        None where the signal, or its fit, cannot be used.
    b_values : tuple of float
    snr, ghost : float, optional
    key : str
        The same for the same images; empty where there are none.
    """

    findings: list[Finding] = field(default_factory=list)
    geometry: Geometry | None = None
    signal: Array | None = None
    adc: Array | None = None
    body: Array | None = None
    b_values: tuple[float, ...] = ()
    snr: float | None = None
    ghost: float | None = None
    key: str = ""


def check_images(root: Path, case: CaseId) -> CheckedImages:
    """Check one case's images; what cannot be read is a finding."""
    checked = CheckedImages()
    found = checked.findings
    found += _companions(root, case)
    try:
        signal, checked.geometry = read_image(root / case.dwi("nii.gz"))
    except UserError as problem:
        found.append(refused("unreadable", case, problem))
        return checked
    found += _grid(case, checked.geometry, forms_apart_mm(root / case.dwi("nii.gz")))
    signal = signal[None] if signal.ndim == 3 else signal
    try:
        b_values = read_b_values(root / case.dwi("bval"))
    except UserError as problem:
        found.append(refused("b-values", case, problem))
        return checked
    checked.b_values = tuple(b_values)
    problems = list(_b_values(case, b_values, images=len(signal)))
    problems += _signal(case, signal)
    found += problems
    if any(problem.severity == "error" for problem in problems):
        return checked
    order = np.argsort(b_values)
    checked.b_values = tuple(b_values[i] for i in order)
    checked.signal = signal[order]
    checked.body = body_in(checked.signal[0])
    checked.key = _key(checked.signal[0])
    found += _quality(case, checked, checked.signal, checked.body)
    checked.adc = fit_adc(checked.signal, checked.b_values, b_min=_b_min(root, case)).adc
    found += _scanner_adc(root, case, checked.geometry, checked.adc, checked.body)
    return checked


def _companions(root: Path, case: CaseId) -> Iterator[Finding]:
    """The small files beside the image; ``.bval`` is read by itself."""
    bvec, sidecar = root / case.dwi("bvec"), root / case.dwi("json")
    if not bvec.is_file():
        fix = "write three lines of zeros, one number for each volume: BIDS asks for it"
        yield warning("missing-file", case, "its .bvec is missing", fix)
    if not sidecar.is_file():
        fix = "restore it from a copy, or ingest the study again: without it a study is not known again"
        yield warning("missing-file", case, "its .json is missing", fix)
        return
    try:
        read_json(sidecar)
    except UserError as problem:
        yield refused("unreadable", case, problem)


def _grid(case: CaseId, geometry: Geometry, forms_mm: float) -> Iterator[Finding]:
    low, high = _SPACING_MM
    spacing = " × ".join(f"{mm:.2f}" for mm in geometry.spacing)
    if not all(low <= mm <= high for mm in geometry.spacing):
        fix = "convert the study again from the scanner's files; is its unit mm?"
        yield error("spacing", case, f"voxels of {spacing} mm (slices × rows × columns)", fix)
    if geometry.shape[0] < 3:
        fix = "ingest the whole series, or leave the case out"
        yield warning("slices", case, f"only {geometry.shape[0]} slices", fix)
    if forms_mm > _FORMS_MM:
        fix = "convert the study again; programs disagree about which of the two counts"
        yield error("grid", case, f"its header gives two places for the grid, {forms_mm:.1f} mm apart", fix)


def _b_values(case: CaseId, b_values: Sequence[float], *, images: int) -> Iterator[Finding]:
    listed = ", ".join(f"{b:g}" for b in b_values)
    fix = "correct the .bval file from the scanner's protocol"
    if len(b_values) != images:
        yield error("b-values", case, f"{images} images and {len(b_values)} b-values ({listed})", fix)
    elif len(set(b_values)) < len(b_values):
        again = "combine the directions of each b-value to their trace image, or " + fix
        yield error("b-values", case, f"a b-value stands twice ({listed})", again)
    elif not all(0 <= b < _IMPOSSIBLE_B for b in b_values):
        yield error("b-values", case, f"impossible b-values ({listed} s/mm²)", fix)
    elif len(b_values) < 2:
        yield error("b-values", case, f"one b-value only ({listed})", "add the images of the others")
    else:
        if max(b_values) < HIGH_B:
            found = f"the highest b-value is {max(b_values):g} s/mm²; tumours show from about 800 on"
            yield warning("b-values", case, found, f"{fix}, or use a study with a higher one")
        if min(b_values) > LOW_B:
            found = f"the lowest b-value is {min(b_values):g} s/mm²; that at 0 is missing"
            yield warning("b-values", case, found, f"{fix}, or add the image at b 0")


def _signal(case: CaseId, signal: Array) -> Iterator[Finding]:
    fix = "look at the images in a viewer, and convert them again from the scanner's files"
    if broken := int(np.count_nonzero(~np.isfinite(signal))):
        yield error("not-finite", case, f"{broken} voxels are not finite numbers (NaN or infinite)", fix)
        return
    empty = [number for number, image in enumerate(signal, start=1) if image.max() <= 0]
    if empty:
        yield error("empty-image", case, f"image {', '.join(map(str, empty))} holds no signal", fix)
        return
    blank = int((signal.max(axis=(2, 3)) <= 0).sum())
    if blank:
        yield warning("empty-slice", case, f"{blank} slices hold no signal at some b-value", fix)


def _quality(case: CaseId, checked: CheckedImages, signal: Array, body: Array) -> Iterator[Finding]:
    medians = [float(np.median(image[body])) for image in signal]
    listed = ", ".join(f"{m:.0f} at b {b:g}" for m, b in zip(medians, checked.b_values, strict=True))
    if any(low <= high for low, high in pairwise(medians)):
        fix = "correct the order of the .bval file; the signal must fall as b rises"
        yield error("b-value-order", case, f"the body's signal does not fall with b ({listed})", fix)
    noise = noise_sd(signal[-1], body)
    checked.snr = medians[-1] / noise if noise > 0 else None
    if checked.snr is not None and checked.snr < MIN_SNR:
        found = (
            f"signal-to-noise ratio {checked.snr:.1f} at b {checked.b_values[-1]:g}, less than {MIN_SNR:g}"
        )
        yield warning("snr", case, found, "look at the case; scan with more averages, or leave it out")
    checked.ghost = ghost_level(signal[0], body)
    if checked.ghost is not None and checked.ghost > MAX_GHOST:
        found = f"a ghost of {checked.ghost:.0%} of the image, half a field of view away"
        yield warning("ghost", case, found, "look at the case; leave it out where the ghost meets the tumour")


def _scanner_adc(root: Path, case: CaseId, grid: Geometry, adc: Array, body: Array) -> Iterator[Finding]:
    path = root / case.scanner_adc
    if not path.is_file():
        return
    try:
        scanner, geometry = read_image(path)
    except UserError as problem:
        yield refused("unreadable", case, problem)
        return
    if difference := geometry.difference(grid):
        found = f"the scanner's ADC lies on another grid than the images ({difference})"
        yield error("adc-grid", case, found, "delete the map, or ingest the study again")
        return
    both = body & (scanner > 0) & (adc > 0) & np.isfinite(scanner)
    if not both.any():
        yield warning("adc-scanner", case, "the scanner's ADC map is empty inside the body", "delete the map")
        return
    ratio = float(np.median(scanner[both] / adc[both]))
    if not _ADC_AGREES[0] <= ratio <= _ADC_AGREES[1]:
        fix = "check the b-values; where they are right, the scanner left some of them out of its fit"
        if not 0.1 < ratio < 10:
            fix = "bring the map to 10⁻³ mm²/s, or delete it"
        yield warning("adc-scanner", case, f"the scanner's ADC is {ratio:.3g} times ours", fix)


def _b_min(root: Path, case: CaseId) -> float:
    try:
        return float(read_json(root / case.dwi("json")).get("adc_b_min", 0))
    except (UserError, ValueError, TypeError):
        return 0.0


def _key(image: Array) -> str:
    """The same for the same image, whatever its scale."""
    levels = np.rint(image / image.max() * 4095).astype(np.int16)
    return hashlib.blake2b(levels.tobytes(), digest_size=16).hexdigest()
