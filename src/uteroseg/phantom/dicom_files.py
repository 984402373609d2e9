"""Virtual patients as a scanner would send them: their images, the scanner's ADC map, and the true mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np

from uteroseg.errors import UserError
from uteroseg.files import staged_folder
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.phantom.dialects import Stored, Vendor, dialect_of, vendor_of
from uteroseg.phantom.dicom_classic import write_classic
from uteroseg.phantom.dicom_enhanced import write_enhanced
from uteroseg.phantom.dicom_masks import CONTOUR_FILE, write_segmentations
from uteroseg.phantom.dicom_rtstruct import TUMOUR_COLOUR, TUMOUR_NAME, Roi, write_rtstruct
from uteroseg.phantom.dicom_series import Identity, ImageSeries
from uteroseg.phantom.presets import Encoding, T2Annotation
from uteroseg.phantom.t2 import T2Image

_WRITERS: dict[str, Callable[[ImageSeries, Path], None]] = {
    "classic": write_classic,
    "enhanced": write_enhanced,
}


def write_dicom(
    study: DwiStudy,
    folder: Path,
    *,
    patient_id: str,
    seed: int,
    study_id: str = "",
    mask: Mask | None = None,
    vendor: Vendor | None = None,
    encoding: Encoding = "classic",
    adc: bool = True,
    t2: T2Image | None = None,
    t2_annotation: T2Annotation = "rtstruct",
) -> None:
    """Write one patient: ``dwi/``, ``adc/`` and ``seg.dcm``; the same arguments give the same bytes.

    With a T2 series there is ``t2/`` too, in classic files, and the tumour is drawn on it instead:
    ``rtstruct.dcm`` or ``seg.dcm``. Without a tumour there is neither.

    Parameters
    ----------
    study : DwiStudy
        Whole numbers that fit in 12 bits are kept exactly; otherwise all images share one factor. Philips
        uses 16 bits and scales every b-value by itself.
    folder : Path
        New or empty; it appears whole or not at all.
    patient_id : str
        Patient ID, and with the seed the source of every UID.
    seed : int
    study_id : str
        Tells this study from others of the patient, who may have been on several scanners.
    mask : Mask, optional
        The tumour, on the study's grid.
    vendor : {"siemens", "ge", "philips", "canon", "uih"}, optional
        Whose dialect; by default that of the study's Manufacturer, or Siemens.
    encoding : {"classic", "enhanced"}
        A file per slice and b-value, or one per series.
    adc : bool
        Also write the scanner's ADC map: the study's own, or the one that its signal gives.

    t2 : T2Image, optional
    t2_annotation : {"rtstruct", "seg"}
        How the tumour is drawn on the T2.

    Raises
    ------
    UserError
        If the folder holds something, there is no such vendor or encoding, or the mask is on another grid.

    References
    ----------
    DICOM PS3.3 A.4 (MR Image IOD), A.36.2 (Enhanced MR Image IOD), A.51 (Segmentation IOD).
    """
    vendor = vendor or vendor_of(study)
    dialect, write = dialect_of(vendor), _writer(encoding)
    drawn = f" t2 {t2_annotation}" if t2 else ""
    identity = Identity(patient_id, study_id, seed, f"{vendor} {encoding}{drawn}")
    scan = (study.geometry, study.acquisition, identity, dialect)
    series = [ImageSeries(*scan, "dwi", dialect.store(study.signal, study.b_values))]
    if adc:
        values = study.fit().adc if study.scanner_adc is None else study.scanner_adc
        series.append(ImageSeries(*scan, "adc", (dialect.store_adc(values),)))
    with staged_folder(folder) as stage:
        for one in series:
            (stage / one.name).mkdir()
            write(one, stage / one.name)
        if t2 is not None:
            volume = Stored(t2.signal.astype(np.uint16), None)
            _write_t2(t2, t2_annotation, stage, ImageSeries(t2.geometry, *scan[1:], "t2", (volume,)))
        elif mask is not None:
            mask.geometry.require_same(study.geometry, what="mask and study", fix="move the mask first.")
            if mask.data.any():
                write_segmentations(mask, stage, identity)


def _write_t2(t2: T2Image, annotation: T2Annotation, folder: Path, series: ImageSeries) -> None:
    (folder / series.name).mkdir()
    write_classic(series, folder / series.name)
    if not t2.mask.data.any():
        return
    if annotation == "seg":
        write_segmentations(t2.mask, folder, series.identity)
    else:
        drawn = Roi(TUMOUR_NAME, TUMOUR_COLOUR, t2.coverage)
        write_rtstruct(folder / CONTOUR_FILE, [drawn], series)


def _writer(encoding: str) -> Callable[[ImageSeries, Path], None]:
    if encoding not in _WRITERS:
        raise UserError(
            f"There is no DICOM encoding {encoding!r}.",
            expected=f"{' or '.join(get_args(Encoding))}.",
            fix="choose one of them.",
        )
    return _WRITERS[encoding]
