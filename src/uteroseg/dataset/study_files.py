"""A study's files: NIfTI with ``.bval``, ``.bvec`` and ``.json``, as BIDS names them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.errors import UserError
from uteroseg.files import read_json, write_json, write_text
from uteroseg.imaging.diffusion import residual
from uteroseg.imaging.nifti import read_image, write_image, write_mask
from uteroseg.imaging.study import DwiStudy, Mask


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
    write_text(_companion(dwi, "bval"), " ".join(f"{b:g}" for b in study.b_values) + "\n")
    write_text(_companion(dwi, "bvec"), zeros * 3)
    fitted = {"adc_b_min": study.adc_b_min} if study.adc_b_min else {}
    write_json(_companion(dwi, "json"), {**study.acquisition, **fitted, **sidecar})
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
        _companion(adc, "json"),
        {
            "Description": "Apparent diffusion coefficient: unweighted least squares on the logarithm of the "
            "signal",
            "Units": "10^-3 mm^2/s",
            **how,
        },
    )
    write_json(
        _companion(residual_map, "json"),
        {"Description": "Root mean square of what the fit leaves of the signal's logarithm", **how},
    )


def write_mask_files(path: Path, mask: Mask, sidecar: Mapping[str, Any]) -> None:
    """Write a mask and, beside it, how it came about."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, mask)
    write_json(_companion(path, "json"), sidecar)


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


def read_study(dwi: Path, *, scanner_adc: Path | None = None) -> DwiStudy:
    """Read a study from NIfTI with ``.bval`` (and, if they are there, ``.json`` and a scanner ADC map).

    Raises
    ------
    UserError
        If a file is missing, broken or does not fit the others.
    """
    bval, sidecar = _companion(dwi, "bval"), _companion(dwi, "json")
    signal, geometry = read_image(dwi)
    b_values = read_b_values(bval)
    images = len(signal) if signal.ndim == 4 else 1
    if signal.ndim != 4 or images != len(b_values):
        raise UserError(
            f"{dwi} holds {images} images and {bval.name} {len(b_values)} b-values.",
            expected="one image for each b-value.",
            fix="convert the study again, or correct the .bval file.",
        )
    order = np.argsort(b_values, kind="stable")
    if len(np.unique(b_values)) != len(b_values):
        raise UserError(
            f"{bval} names a b-value more than once: {' '.join(f'{b:g}' for b in b_values)}.",
            expected="one trace image for each b-value.",
            fix="combine the directions of each b-value to their trace image (geometric mean) first.",
        )
    adc = None
    if scanner_adc is not None and scanner_adc.is_file():
        adc, adc_geometry = read_image(scanner_adc)
        adc_geometry.require_same(
            geometry, what=f"{scanner_adc} and {dwi.name}", fix="ingest the study again."
        )
    acquisition = read_json(sidecar) if sidecar.is_file() else {}
    return DwiStudy(
        signal=signal[order],
        b_values=tuple(float(b_values[i]) for i in order),
        geometry=geometry,
        scanner_adc=adc,
        acquisition=acquisition,
        adc_b_min=float(acquisition.get("adc_b_min", 0)),
    )


def read_b_values(path: Path) -> list[float]:
    """Read a ``.bval`` file, s/mm²; raises UserError where it is missing or holds no numbers."""
    try:
        return [float(value) for value in path.read_text("utf-8").split()]
    except FileNotFoundError:
        found = f"{path} is missing."
    except ValueError:
        found = f"{path} holds something that is not a number."
    raise UserError(
        found,
        expected="a .bval file beside the image: one b-value (s/mm²) for each volume.",
        fix="write it from the scanner's protocol, for example '0 1000'.",
    )


def _companion(image: Path, ending: str) -> Path:
    return image.with_name(f"{image.name.removesuffix('.gz').removesuffix('.nii')}.{ending}")
