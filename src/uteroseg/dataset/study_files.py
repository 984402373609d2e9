"""A study's files: NIfTI with ``.bval``, ``.bvec`` and ``.json``, as BIDS names them."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.versions import version_fields
from uteroseg.errors import UserError
from uteroseg.files import read_json, write_json, write_text
from uteroseg.imaging.diffusion import residual
from uteroseg.imaging.formats import companion
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.nifti import Form, read_image, write_image, write_mask
from uteroseg.imaging.study import ADC_LEFT_OUT, DwiStudy, Mask, Volume

BVAL_ENDINGS = ("bval", "BVAL", "bvals", "BVALS")
IMPOSSIBLE_B = 10_000.0
"""s/mm²; from there on a number is no b-value of a patient's."""
ADC_UNREADABLE = "it cannot be read"
ADC_ELSEWHERE = "it lies on another grid than the images"


def write_study(dwi: Path, study: DwiStudy, *, scanner_adc: Path, sidecar: Mapping[str, Any]) -> None:
    """Write a study.

    Parameters
    ----------
    dwi : Path
        ``…_dwi.nii.gz``; its companions lie beside it.
    study : DwiStudy
    scanner_adc : Path
        Where the scanner's ADC map goes, if the study has one.
    sidecar : mapping
        What goes into ``…_dwi.json`` beside the acquisition.
    """
    dwi.parent.mkdir(parents=True, exist_ok=True)
    if study.scanner_adc is not None:
        write_image(scanner_adc, study.scanner_adc, study.geometry)
    zeros = " ".join("0" for _ in study.b_values) + "\n"
    write_text(companion(dwi, "bval"), " ".join(f"{b:g}" for b in study.b_values) + "\n")
    write_text(companion(dwi, "bvec"), zeros * 3)
    fitted = {"adc_b_min": study.adc_b_min} if study.adc_b_min else {}
    write_json(companion(dwi, "json"), {**study.acquisition, **fitted, **sidecar})
    write_image(dwi, study.signal, study.geometry)


def write_adc_files(adc: Path, residual_map: Path, study: DwiStudy) -> None:
    """Write our ADC map (10⁻³ mm²/s), what its fit leaves over, and beside each how it was made."""
    adc.parent.mkdir(parents=True, exist_ok=True)
    fit = study.fit()
    write_image(adc, fit.adc, study.geometry)
    left_over = residual(fit, study.signal, study.b_values, b_min=study.adc_b_min)
    write_image(residual_map, left_over, study.geometry)
    how = {"SkullStripped": False, "b_values": [b for b in study.b_values if b >= study.adc_b_min]}
    write_json(
        companion(adc, "json"),
        {
            "Description": "Apparent diffusion coefficient: unweighted least squares on the logarithm of the "
            "signal",
            "Units": "10^-3 mm^2/s",
            **how,
        },
    )
    write_json(
        companion(residual_map, "json"),
        {"Description": "Root mean square of what the fit leaves of the signal's logarithm", **how},
    )


def write_mask_files(
    path: Path, mask: Mask, sidecar: Mapping[str, Any], *, parent: str | None = None
) -> None:
    """Write a mask and, beside it, how it came about and which version it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, mask)
    write_json(companion(path, "json"), {**sidecar, **version_fields(mask, parent)})


def write_volume(path: Path, volume: Volume) -> None:
    """Write an image on its own grid and, beside it, its scanner fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, volume.image, volume.geometry)
    write_json(companion(path, "json"), volume.acquisition)


def write_readers_masks(
    root: Path, case: CaseId, readers: Mapping[str, Mask], sidecar: Mapping[str, Any]
) -> None:
    """Write the masks of single readers, each with the fields of the sidecar and the reader's name."""
    for reader, mask in readers.items():
        write_mask_files(root / case.readers_annotation(reader), mask, {**sidecar, "reader": reader})


def move_files(stage: Path, root: Path, *, last: Path) -> None:
    """Move every file below a folder to the same place below another, the one that completes a case last."""
    files = [file.relative_to(stage) for file in stage.rglob("*") if file.is_file()]
    for file in sorted(files, key=lambda f: f == last):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (stage / file).replace(root / file)


def read_study(dwi: Path, *, scanner_adc: Path | None = None, form: Form | None = None) -> DwiStudy:
    """Read a study from NIfTI with ``.bval`` (and, if they are there, ``.json`` and a scanner ADC map).

    A scanner's ADC map that cannot be read, or lies elsewhere, is left out, and the acquisition says why.

    Parameters
    ----------
    dwi : Path
    scanner_adc : Path, optional
        10⁻³ mm²/s.
    form : {"qform", "sform"}, optional
        As for `uteroseg.imaging.nifti.read_image`.

    Raises
    ------
    UserError
        If a file is missing, broken or does not fit the others.
    """
    bval, sidecar = bval_of(dwi), companion(dwi, "json")
    signal, geometry = read_image(dwi, form=form)
    signal = signal[None] if signal.ndim == 3 else signal
    b_values = read_b_values(bval)
    if len(signal) != len(b_values):
        raise UserError(
            f"{dwi} holds {len(signal)} images and {bval.name} {len(b_values)} b-values.",
            expected="one image for each b-value.",
            fix="convert the study again, or correct the .bval file.",
        )
    if twice := {b: count for b, count in Counter(b_values).items() if count > 1}:
        listed = ", ".join(f"{b:g} ({count} times)" for b, count in sorted(twice.items()))
        raise UserError(
            f"{bval} names a b-value more than once: {listed}.",
            expected="one trace image for each b-value.",
            fix="combine the directions of each b-value to their trace image (geometric mean) first.",
        )
    order = np.argsort(b_values, kind="stable")
    acquisition = read_json(sidecar) if sidecar.is_file() else {}
    adc = None
    if scanner_adc is not None and scanner_adc.is_file():
        adc, left_out = _map_beside(scanner_adc, geometry)
        acquisition |= {ADC_LEFT_OUT: left_out} if left_out else {}
    return DwiStudy(
        signal=signal[order],
        b_values=tuple(float(b_values[i]) for i in order),
        geometry=geometry,
        scanner_adc=adc,
        acquisition=acquisition,
        adc_b_min=_number(acquisition.get("adc_b_min"), sidecar),
    )


def _map_beside(path: Path, grid: Geometry) -> tuple[Array | None, str]:
    """A dataset's scanner ADC map (10⁻³ mm²/s), or why it is left out."""
    try:
        adc, geometry = read_image(path)
    except UserError:
        return None, ADC_UNREADABLE
    return (None, ADC_ELSEWHERE) if geometry.difference(grid) else (adc, "")


def _number(value: object, sidecar: Path) -> float:
    if value is None:
        return 0.0
    if isinstance(value, int | float) and value >= 0:
        return float(value)
    raise UserError(
        f"{sidecar} holds an adc_b_min of {value!r}.",
        expected="a number of s/mm², 0 or more.",
        fix="correct it, or take it out of the file.",
    )


def bval_of(image: Path) -> Path:
    """The ``.bval`` file beside an image, however its ending is spelled."""
    spelled = [companion(image, ending) for ending in BVAL_ENDINGS]
    return next((path for path in spelled if path.is_file()), spelled[0])


def read_b_values(path: Path) -> list[float]:
    """Read a ``.bval`` file, s/mm²: numbers between spaces, commas or line ends.

    Raises
    ------
    UserError
        If it is missing, or holds no numbers or something that is no b-value.
    """
    expected = "a .bval file beside the image: one b-value (s/mm², 0 or more) for each volume."
    fix = "write it from the scanner's protocol, for example '0 1000'."
    if not path.is_file():
        raise UserError(f"{path} is missing.", expected=expected, fix=fix)
    words = re.split(r"[\s,;]+", _text(path.read_bytes()).strip("\0 \r\n\t,;"))
    values = []
    for word in words if words != [""] else []:
        try:
            values.append(float(word))
        except ValueError:
            found = f"{path} holds something that is not a number: {word[:20]!r}."
            raise UserError(found, expected=expected, fix=fix) from None
        if not 0 <= values[-1] < IMPOSSIBLE_B:
            raise UserError(f"{path} holds the b-value {word[:20]}.", expected=expected, fix=fix)
    if not values:
        raise UserError(f"{path} holds no b-value.", expected=expected, fix=fix)
    return values


def _text(content: bytes) -> str:
    """Text of a small file by its byte-order mark; UTF-16 without one is known by its zeros."""
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return content.decode("utf-16", "replace")
    if b"\0" in content[:2]:
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le", "replace")
    return content.decode("utf-8-sig", "replace")
