"""DICOM SEG and SR of a prediction, for which highdicom is imported: in this process or another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from uteroseg import __version__
from uteroseg.errors import reason

if TYPE_CHECKING:
    from uteroseg.dicom.seg import Site
    from uteroseg.imaging.measure import AdcStatistics
    from uteroseg.imaging.study import Mask

SEG, SR = "seg.dcm", "sr.dcm"


def import_highdicom() -> None:
    """Import what `write_objects` needs, and read what highdicom otherwise reads at the first object."""
    import uteroseg.dicom.sr  # noqa: F401
    from uteroseg.dicom.seg import read_tables

    read_tables()


def write_objects(
    folder: Path,
    mask: Mask,
    source: object,
    *,
    volume_ml: float,
    diameter_mm: float,
    adc: AdcStatistics,
    model_id: str,
    site: Site | None,
    keep_empty_frames: bool,
) -> dict[str, str]:
    """Write ``seg.dcm`` and ``sr.dcm``, each where it can be.

    Parameters
    ----------
    folder : Path
    mask : Mask
    source : SourceImages
        The images that it belongs to, as `DwiStudy.source` holds them.
    volume_ml, diameter_mm : float
        Of the mask.
    adc : AdcStatistics
        Inside it, 10⁻³ mm²/s.
    model_id : str
    site : {"cervix", "uterus"}, optional
        Where the tumour is.
    keep_empty_frames : bool
        Frames without tumour in the SEG.

    Returns
    -------
    dict of str to str
        What was not written, and why.
    """
    try:
        from uteroseg.dicom.seg import write_seg
        from uteroseg.dicom.source_images import SourceImages
        from uteroseg.dicom.sr import write_sr

        assert isinstance(source, SourceImages)
        segmentation = write_seg(
            folder / SEG,
            mask,
            source,
            algorithm_name=f"uteroseg model {model_id}"[:64],
            algorithm_version=__version__,
            site=site,
            keep_empty_frames=keep_empty_frames,
        )
    except Exception as error:
        return none_written(reason(error))
    try:
        write_sr(folder / SR, segmentation, volume_ml=volume_ml, diameter_mm=diameter_mm, adc=adc)
    except Exception as error:
        return {SR: reason(error)}
    return {}


def none_written(why: str) -> dict[str, str]:
    """Say it of both: a report is one of a segmentation."""
    return {SEG: why, SR: f"It would report on {SEG}."}
