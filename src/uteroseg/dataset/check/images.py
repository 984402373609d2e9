"""Check a case's images: files, grid, b-values, signal, noise, ghost, the scanner's ADC."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.dataset.check.finding import Finding, error, refused, warning
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.study_files import read_b_values
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.diffusion import fit_adc
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.nifti import MAX_FORMS_APART, forms_apart, read_image
from uteroseg.imaging.quality import body_in, ghost_level, noise_sd
from uteroseg.imaging.study import DERIVED, DwiStudy

MIN_SNR = 3.0
"""Median signal of the body over the noise at the highest b-value; below it Rician noise bends the ADC."""
MAX_GHOST = 0.08
"""Level of the Nyquist ghost; virtual scanners reach 0.05."""
LEAST_WEIGHTING = 20.0
"""A highest b-value below it (s/mm²) is in another unit, or wrong."""
HIGH_B = 500.0
"""The highest b-value should reach it, s/mm²: below, perfusion and T2 shine decide."""
LOW_B = 200.0
"""The lowest b-value should not exceed it, s/mm²."""
_IMPOSSIBLE_B = 10_000.0
_SPACING_MM = (0.3, 15.0)
_SAME = 0.015
"""Images are one where they lie less apart: rounding to whole numbers leaves up to 0.01, noise 0.09 and more
between neighbours of 13 b-values (two real prostates)."""
_MAY_RISE = 1.05
"""By how much noise and drift may raise the body's signal from one b-value to the next."""
_UNUSABLE = ("b-values", "empty-image")
_BVAL = "correct the b-values (.bval file, names of channels) from the scanner's protocol"
_LOOK = "look at the images in a viewer, and convert them again from the scanner's files"
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


def study_problems(study: DwiStudy, where: object = "the study") -> Iterator[Finding]:
    """What is wrong with images, wherever they come from: grid, b-values, signal.

    Parameters
    ----------
    study : DwiStudy
    where : object
        What to call it in the findings.
    """
    yield from _grid(where, study.geometry)
    yield from _images(where, study)


def check_images(root: Path, case: CaseId) -> CheckedImages:
    """Check one case's images; what cannot be read is a finding."""
    checked = CheckedImages()
    found = checked.findings
    found += _companions(root, case)
    found += _t2(root, case)
    path = root / case.dwi("nii.gz")
    try:
        found += (two_places := list(_two_places(case, path)))
        if two_places:
            return checked
        signal, checked.geometry = read_image(path)
    except UserError as problem:
        found.append(refused("unreadable", case, problem))
        return checked
    found += _grid(case, checked.geometry)
    signal = signal[None] if signal.ndim == 3 else signal
    try:
        b_values = read_b_values(root / case.dwi("bval"))
    except UserError as problem:
        found.append(refused("b-values", case, problem))
        return checked
    checked.b_values = tuple(b_values)
    if unfit := list(_unfit(case, signal, b_values)):
        found += unfit
        return checked
    order = np.argsort(b_values)
    checked.b_values = tuple(b_values[i] for i in order)
    study = DwiStudy(signal[order], checked.b_values, checked.geometry, acquisition=_acquisition(root, case))
    found += (problems := list(_images(case, study)))
    if any(problem.check in _UNUSABLE and problem.severity == "error" for problem in problems):
        return checked
    checked.signal = study.signal
    checked.body = body_in(study.signal[0])
    checked.key = _key(study.signal[0])
    found += _quality(case, checked, study, checked.body)
    try:
        checked.adc = fit_adc(study.signal, study.b_values, b_min=_b_min(study)).adc
    except UserError as problem:
        found.append(refused("b-values", case, problem))
        return checked
    derived = bool(study.acquisition.get(DERIVED))
    found += _scanner_adc(root, case, checked.geometry, checked.adc, checked.body, derived=derived)
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


def _t2(root: Path, case: CaseId) -> Iterator[Finding]:
    path = root / case.t2w("nii.gz")
    if path.is_file():
        try:
            read_image(path)
        except UserError as problem:
            yield warning("t2", case, problem.found, "restore it from a copy, or delete it")


def _two_places(case: CaseId, path: Path) -> Iterator[Finding]:
    apart, voxels = forms_apart(path)
    if voxels > MAX_FORMS_APART:
        fix = "ingest the study again and say which of the two counts; programs disagree about it"
        yield error("grid", case, f"its header gives two places for the grid, {apart:.2g} mm apart", fix)


def _grid(where: object, geometry: Geometry) -> Iterator[Finding]:
    low, high = _SPACING_MM
    spacing = " × ".join(f"{mm:.2g}" for mm in geometry.spacing)
    if not all(low <= mm <= high for mm in geometry.spacing):
        fix = "convert the study again from the scanner's files; is its unit mm?"
        yield error("spacing", where, f"voxels of {spacing} mm (slices × rows × columns)", fix)
    if geometry.shape[0] < 3:
        fix = "ingest the whole series, or leave the case out"
        yield warning("slices", where, f"only {geometry.shape[0]} slices", fix)


def _unfit(case: CaseId, signal: Array, b_values: Sequence[float]) -> Iterator[Finding]:
    """What makes images no study."""
    listed = ", ".join(f"{b:g}" for b in b_values)
    if len(b_values) != len(signal):
        yield error("b-values", case, f"{len(signal)} images and {len(b_values)} b-values ({listed})", _BVAL)
    elif len(set(b_values)) < len(b_values):
        again = f"combine the directions of each b-value to their trace image, or {_BVAL}"
        yield error("b-values", case, f"a b-value stands twice ({listed})", again)
    elif not np.isfinite(b_values).all():
        yield error("b-values", case, f"impossible b-values ({listed} s/mm²)", _BVAL)
    if broken := int(np.count_nonzero(~np.isfinite(signal))):
        yield error("not-finite", case, f"{broken} voxels are not finite numbers (NaN or infinite)", _LOOK)


def _images(where: object, study: DwiStudy) -> Iterator[Finding]:
    """What b-values and signal tell together."""
    b_values = list(_b_values(where, study.b_values))
    signal = list(_signal(where, study.signal))
    yield from (*b_values, *signal)
    if any(problem.severity == "error" for problem in (*b_values, *signal)):
        return
    same = list(_same_images(where, study))
    yield from same or _fall(where, study)


def _b_values(where: object, b_values: Sequence[float]) -> Iterator[Finding]:
    listed = ", ".join(f"{b:g}" for b in b_values)
    if not all(0 <= b < _IMPOSSIBLE_B for b in b_values):
        yield error("b-values", where, f"impossible b-values ({listed} s/mm²)", _BVAL)
    elif max(b_values) < LEAST_WEIGHTING:
        found = f"no b-value weights diffusion ({listed} s/mm²)"
        yield error("b-values", where, found, f"{_BVAL}: in s/mm²")
    elif len(b_values) < 2:
        yield error("b-values", where, f"one b-value only ({listed})", "add the images of the others")
    else:
        if max(b_values) < HIGH_B:
            found = f"the highest b-value is {max(b_values):g} s/mm²; tumours show from about 800 on"
            yield warning("b-values", where, found, f"{_BVAL}, or use a study with a higher one")
        if min(b_values) > LOW_B:
            found = f"the lowest b-value is {min(b_values):g} s/mm²; that at 0 is missing"
            yield warning("b-values", where, found, f"{_BVAL}, or add the image at b 0")


def _signal(where: object, signal: Array) -> Iterator[Finding]:
    empty = [number for number, image in enumerate(signal, start=1) if image.max() <= 0]
    if empty:
        yield error("empty-image", where, f"image {', '.join(map(str, empty))} holds no signal", _LOOK)
        return
    blank = int((signal.max(axis=(2, 3)) <= 0).sum())
    if blank:
        yield warning("empty-slice", where, f"{blank} slices hold no signal at some b-value", _LOOK)


def _same_images(where: object, study: DwiStudy) -> Iterator[Finding]:
    """Images that are one."""
    coarse = study.signal[:, :, ::4, ::4]
    for i, j in combinations(range(len(study.signal)), 2):
        if _apart(coarse[i], coarse[j]) < _SAME and _apart(study.signal[i], study.signal[j]) < _SAME:
            found = f"the images at b {study.b_values[i]:g} and b {study.b_values[j]:g} are the same"
            yield error("same-image", where, found, "export or convert the study again, whole")


def _apart(one: Array, other: Array) -> float:
    """How far apart two images are, as a share of the larger; a uniform object's differ by a factor."""
    larger = max(float(np.square(image, dtype=np.float64).sum()) for image in (one, other))
    return float(np.sqrt(np.square(one - other, dtype=np.float64).sum() / (larger or 1.0)))


def _fall(where: object, study: DwiStudy) -> Iterator[Finding]:
    """Whether the body's signal falls as b rises, as far as noise and drift let it."""
    if study.acquisition.get(DERIVED):  # it falls with the map that it was computed from
        return
    body = body_in(study.signal[0])
    medians = [float(np.median(image[body])) for image in study.signal]
    rises = any(after > before * _MAY_RISE for before, after in pairwise(medians))
    lasting = [m for b, m in zip(study.b_values, medians, strict=True) if b - study.b_values[0] >= LOW_B]
    if rises or any(median >= medians[0] for median in lasting):
        listed = ", ".join(f"{m:.4g} at b {b:g}" for m, b in zip(medians, study.b_values, strict=True))
        fix = "correct the order of the b-values; the signal must fall as b rises"
        yield error("b-value-order", where, f"the body's signal does not fall with b ({listed})", fix)


def _quality(case: CaseId, checked: CheckedImages, study: DwiStudy, body: Array) -> Iterator[Finding]:
    noise = noise_sd(study.signal[-1], body)
    checked.snr = float(np.median(study.signal[-1][body])) / noise if noise > 0 else None
    if checked.snr is not None and checked.snr < MIN_SNR:
        found = f"signal-to-noise ratio {checked.snr:.1f} at b {study.b_values[-1]:g}, less than {MIN_SNR:g}"
        yield warning("snr", case, found, "look at the case; scan with more averages, or leave it out")
    checked.ghost = None if study.acquisition.get(DERIVED) else ghost_level(study.signal[0], body)
    if checked.ghost is not None and checked.ghost > MAX_GHOST:
        found = f"a ghost of {checked.ghost:.0%} of the image, half a field of view away"
        yield warning("ghost", case, found, "look at the case; leave it out where the ghost meets the tumour")


def _scanner_adc(
    root: Path, case: CaseId, grid: Geometry, adc: Array, body: Array, *, derived: bool
) -> Iterator[Finding]:
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
    if derived:  # an image that was computed from the map fits the map
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


def _acquisition(root: Path, case: CaseId) -> Mapping[str, Any]:
    try:
        return read_json(root / case.dwi("json"))
    except UserError:  # named by the check of the files beside the image
        return {}


def _b_min(study: DwiStudy) -> float:
    try:
        return float(study.acquisition.get("adc_b_min", 0))
    except (ValueError, TypeError):
        return 0.0


def _key(image: Array) -> str:
    """The same for the same image, whatever its scale."""
    levels = np.rint(image / image.max() * 4095).astype(np.int16)
    return hashlib.blake2b(levels.tobytes(), digest_size=16).hexdigest()
