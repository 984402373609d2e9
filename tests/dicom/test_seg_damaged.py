"""Whatever can be read gets a SEG and an SR that others take: damages of headers, in every dialect.

Every damage with a couple of dialects; all of them with all is `benchmarks/reliability/write_seg.py`.
"""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from uteroseg.dicom.assemble import source_images
from uteroseg.dicom.seg import write_seg
from uteroseg.dicom.sr import write_sr
from uteroseg.imaging.measure import adc_statistics
from uteroseg.imaging.study import Mask

from .build_damage import BREAKS_UIDS, DAMAGES, DIALECTS, PLANES, write_damaged
from .readers import by_dcmqi, by_highdicom, dciodvfy_errors
from .test_seg import random_mask, study_in

ROUNDS = 2 * max(map(len, DAMAGES.values()))
SLICES = [(1, 3), (2,), (), (0, 1, 2, 3, 4)]


def chosen(number: int) -> tuple[str, str, dict[str, str]]:
    """A dialect, a plane and a damage of each kind; each damage comes with two dialects at least."""
    turned = number + 2 * number // ROUNDS
    damages = {kind: list(some)[number % len(some)] for kind, some in DAMAGES.items()}
    return DIALECTS[turned % len(DIALECTS)], PLANES[turned * 7 // 5 % len(PLANES)], damages


def test_every_damage_comes_with_two_dialects() -> None:
    seen: dict[tuple[str, str], set[str]] = {}
    for dialect, _, damages in map(chosen, range(ROUNDS)):
        for pair in damages.items():
            seen.setdefault(pair, set()).add(dialect)
    assert set(seen) == {(kind, name) for kind, some in DAMAGES.items() for name in some}
    assert min(map(len, seen.values())) >= 2


@pytest.mark.parametrize("number", range(ROUNDS))
def test_seg_and_sr_of_damaged_headers_are_whole_and_valid(number: int, tmp_path: Path) -> None:
    dialect, plane, damages = chosen(number)
    if dialect == "siemens mosaic" and damages["place"] == "no thickness and no spacing":
        dialect = "siemens classic"  # such a mosaic is refused
    damage = [DAMAGES[kind][name] for kind, name in damages.items()]
    write_damaged(tmp_path / "scan", dialect, plane, *damage)
    found, study = study_in(tmp_path / "scan")
    mask = Mask(random_mask(study.geometry, number).data, study.geometry)
    mask.data[[s for s in range(5) if s not in SLICES[number % 4]]] = False
    path, report = tmp_path / "seg.dcm", tmp_path / "sr.dcm"
    keep = number % 5 == 0
    named = {"algorithm_name": "m", "algorithm_version": "1"}
    seg = write_seg(path, mask, source_images(found.dwi), keep_empty_frames=keep, **named)
    write_sr(report, seg, volume_ml=1, diameter_mm=2, adc=adc_statistics(mask, study.fit().adc))
    np.testing.assert_array_equal(by_highdicom(path, study.geometry), mask.data)
    np.testing.assert_array_equal(by_dcmqi(path, study.geometry), mask.data)
    for file in (path, report):
        assert dciodvfy_errors(file, uids=damages["identifiers"] not in BREAKS_UIDS) == []
    patients = [str(pydicom.dcmread(file).PatientName) for file in (path, report)]
    assert patients[0] == patients[1]


@pytest.mark.parametrize("kept", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("name", BREAKS_UIDS)
def test_uids_that_break_a_rule_still_refer(name: str, kept: str, tmp_path: Path) -> None:
    write_damaged(tmp_path / "scan", "ge classic", "axial", DAMAGES["identifiers"][name])
    found, study = study_in(tmp_path / "scan")
    mask = random_mask(study.geometry)
    seg = write_seg(
        tmp_path / "seg.dcm", mask, source_images(found.dwi), algorithm_name="m", algorithm_version="1"
    )
    (series,) = seg.ReferencedSeriesSequence
    header = found.dwi[0].headers[0]
    assert {
        "StudyInstanceUID": seg.StudyInstanceUID,
        "SeriesInstanceUID": series.SeriesInstanceUID,
        "SOPInstanceUID": series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID,
    }[kept] == header[kept].value
