"""Virtual patients as a scanner would send them: their images, the scanner's ADC map, and the true mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from uteroseg.errors import UserError
from uteroseg.files import staged_folder
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.phantom.dialects import Vendor, dialect_of, vendor_of
from uteroseg.phantom.dicom_classic import write_classic
from uteroseg.phantom.dicom_enhanced import write_enhanced
from uteroseg.phantom.dicom_masks import write_mask
from uteroseg.phantom.dicom_series import Identity, ImageSeries
from uteroseg.phantom.presets import Encoding

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
) -> None:
    """Write one patient: ``dwi/``, ``adc/`` and ``seg.dcm``; the same arguments give the same bytes.

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
    identity = Identity(patient_id, study_id, seed, f"{vendor} {encoding}")
    series = [ImageSeries(study, identity, dialect, "dwi", dialect.store(study.signal, study.b_values))]
    if adc:
        values = study.fit().adc if study.scanner_adc is None else study.scanner_adc
        series.append(ImageSeries(study, identity, dialect, "adc", (dialect.store_adc(values),)))
    with staged_folder(folder) as stage:
        for one in series:
            (stage / one.name).mkdir()
            write(one, stage / one.name)
        if mask is not None:
            write_mask(mask, stage, identity)


def _writer(encoding: str) -> Callable[[ImageSeries, Path], None]:
    if encoding not in _WRITERS:
        raise UserError(
            f"There is no DICOM encoding {encoding!r}.",
            expected=f"{' or '.join(get_args(Encoding))}.",
            fix="choose one of them.",
        )
    return _WRITERS[encoding]
