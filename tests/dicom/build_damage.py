"""What scanners, de-identifiers and converters do to headers, for every dialect that can be read."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from tests.grids import grid
from uteroseg.imaging.study import DwiStudy
from uteroseg.phantom.dicom_files import write_dicom

from .build import Recipe, united_imaging
from .build_frames import write_mosaics, write_vframes

Damage = Callable[[Dataset, int], None]
"""Changes a file, given its number."""

VENDORS = ("siemens", "ge", "philips", "canon", "uih")
DIALECTS = (
    *(f"{vendor} {encoding}" for vendor in VENDORS for encoding in ("classic", "enhanced")),
    "siemens mosaic",
    "uih tiles",
)
PLANES = ("axial", "sagittal", "oblique")


@cache
def files_of(dialect: str, plane: str) -> tuple[bytes, ...]:
    """A small study as this dialect writes it."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "scan"
        vendor, encoding = dialect.split()
        if encoding == "mosaic":
            write_mosaics(root, Recipe(b_values=(0, 800), orientation=plane))
        elif encoding == "tiles":
            recipe = Recipe((0, 800), plane, dialect=united_imaging, manufacturer="UIH")
            write_vframes(root, recipe)
        else:
            write_dicom(
                _study(plane), root, patient_id="P1", seed=1, vendor=vendor, encoding=encoding, adc=False
            )
        return tuple(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


def _study(plane: str) -> DwiStudy:
    geometry = grid(plane, (5, 10, 7), position=(-31.25, 22.75, -17.5))
    rng = np.random.default_rng(3)
    at_b0, adc = rng.uniform(500, 3000, geometry.shape), rng.uniform(0.8, 2.0, geometry.shape)
    signal = np.stack([np.rint(at_b0 * np.exp(-b / 1000 * adc)) for b in (0, 800)])
    return DwiStudy(signal.astype(np.float32), (0.0, 800.0), geometry)


def write_damaged(folder: Path, dialect: str, plane: str, *damages: Damage) -> None:
    """Write a study's files, each damaged."""
    folder.mkdir(parents=True)
    for number, content in enumerate(files_of(dialect, plane)):
        dataset = pydicom.dcmread(io.BytesIO(content))
        for damage in damages:
            damage(dataset, number)
        # As if it had been read like this: pydicom would decode and encode text whose character set changed.
        dataset.set_original_encoding(False, True, dataset._character_set)
        pydicom.dcmwrite(folder / f"{number:04d}.dcm", dataset)


def raw(**values: bytes) -> Damage:
    """These bytes, whatever the standard allows."""

    def damage(dataset: Dataset, number: int) -> None:
        for keyword, value in values.items():
            tag = Tag(keyword)
            even = value + b" " * (len(value) % 2)
            vr = pydicom.datadict.dictionary_VR(tag)
            dataset[tag] = RawDataElement(tag, vr, len(even), even, 0, False, True)

    return damage


def _without(*keywords: str) -> Damage:
    def damage(dataset: Dataset, number: int) -> None:
        for keyword in keywords:
            dataset.pop(keyword, None)

    return damage


def _everywhere(keyword: str, change: Callable[[list[float], int], list[str]]) -> Damage:
    """Change the numbers of an element, in the file or in each frame's functional groups."""

    def damage(dataset: Dataset, number: int) -> None:
        for count, item in enumerate(_items(dataset)):
            if keyword in item:
                values = [float(value) for value in item[keyword].value]
                text = "\\".join(change(values, number + count)).encode()
                raw(**{keyword: text})(item, 0)

    return damage


def _items(dataset: Dataset) -> list[Dataset]:
    inner = [
        item
        for element in dataset
        if element.VR == "SQ"
        for nested in element.value
        for item in _items(nested)
    ]
    return [dataset, *inner]


def _rounded(digits: int) -> Callable[[list[float], int], list[str]]:
    return lambda values, number: [f"{value:.{digits}f}" for value in values]


def _shaken(size: float) -> Callable[[list[float], int], list[str]]:
    return lambda values, number: [
        f"{value + size * ((number * 7 + i) % 3 - 1):.12f}"[:16] for i, value in enumerate(values)
    ]


def _no_spacing(dataset: Dataset, number: int) -> None:
    for item in _items(dataset):
        _without("SliceThickness", "SpacingBetweenSlices")(item, number)


def _frame_of_reference_of_each(dataset: Dataset, number: int) -> None:
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[str(number)])


def _leading_zeros(dataset: Dataset, number: int) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        old = str(dataset[keyword].value)
        raw(**{keyword: (old[:50] + ".007").encode()})(dataset, number)


def _letters(dataset: Dataset, number: int) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        tail = str(number) if keyword == "SOPInstanceUID" else ""
        raw(**{keyword: f"ANON-{keyword}-{tail}".encode()})(dataset, number)


def _odd_sequences(dataset: Dataset, number: int) -> None:
    dataset.OtherPatientIDsSequence = [Dataset()]
    dataset.RequestAttributesSequence = []
    dataset.ReferencedStudySequence = [Dataset()]
    dataset.private_block(0x0011, "SOMEBODY", create=True).add_new(0x01, "UN", b"\xff\xfe\x00")


_JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
MUELLER, YAMADA = "Müller^Jürgen", "Yamada^Tarou=山田^太郎=やまだ^たろう"
WANG = "Wang^XiaoDong=王^小东"

DAMAGES: dict[str, dict[str, Damage]] = {
    "place": {
        "cosines that differ in the 8th digit": _everywhere("ImageOrientationPatient", _shaken(1e-8)),
        "cosines that differ in the 4th digit": _everywhere("ImageOrientationPatient", _shaken(1e-4)),
        "cosines of three digits": _everywhere("ImageOrientationPatient", _rounded(3)),
        "positions of a tenth of a millimetre": _everywhere("ImagePositionPatient", _rounded(1)),
        "pixel spacing that differs in the 5th digit": _everywhere("PixelSpacing", _shaken(1e-5)),
        "no thickness and no spacing": _no_spacing,
    },
    "identifiers": {
        "no frame of reference": _without("FrameOfReferenceUID"),
        "a frame of reference for each image": _frame_of_reference_of_each,
        "an empty frame of reference": raw(FrameOfReferenceUID=b""),
        "no study": _without("StudyInstanceUID"),
        "no series": _without("SeriesInstanceUID"),
        "no instance": _without("SOPInstanceUID"),
        "no identifier": _without(
            *("FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID")
        ),
        "components with leading zeros": _leading_zeros,
        "letters": _letters,
    },
    "numbers": {
        "no number of series": _without("SeriesNumber"),
        "letters for a number": raw(SeriesNumber=b"abc", InstanceNumber=b"IM1", AcquisitionNumber=b"x"),
        "too long": raw(
            StudyID=b"7" * 40, AccessionNumber=b"A" * 40, PatientID=b"P" * 100, StudyDescription=b"d" * 300
        ),
        "values that are several": raw(StudyID=b"1\\2", PatientID=b"A\\B", AccessionNumber=b"A\\B"),
        "characters that control": raw(
            StudyID=b"1\x00\x07", StudyDescription=b"a\r\nb", AccessionNumber=b"\x01"
        ),
        "age, size and weight as people write them": raw(
            PatientAge=b"45", PatientSize=b"1,70", PatientWeight=b"70 kg"
        ),
        "age, size and weight that are none": raw(PatientAge=b"***", PatientSize=b"-1", PatientWeight=b"0"),
        "sequences without content": _odd_sequences,
    },
    "dates": {
        "stars": raw(PatientBirthDate=b"***", StudyDate=b"***", StudyTime=b"***"),
        "noughts and strokes": raw(
            PatientBirthDate=b"00/00/0000", StudyDate=b"00/00/0000", StudyTime=b"00/00"
        ),
        "points": raw(PatientBirthDate=b"1950.01.31", StudyDate=b"2020.01.02", StudyTime=b"10:11:12"),
        "hyphens": raw(PatientBirthDate=b"1950-01-31", StudyDate=b"2020-01-02", StudyTime=b"10:11:12.25"),
        "no such day": raw(PatientBirthDate=b"19500231", StudyDate=b"20201300", StudyTime=b"256100"),
        "a year": raw(PatientBirthDate=b"1950", StudyDate=b"2020", StudyTime=b"10"),
        "empty": raw(PatientBirthDate=b"", StudyDate=b"", StudyTime=b""),
        "missing": _without("PatientBirthDate", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
        "more digits than there are": raw(StudyTime=b"101112.123456789", StudyDate=b"20200102120000"),
    },
    "person": {
        "sex: Anonymized": raw(PatientSex=b"Anonymized"),
        "sex: female": raw(PatientSex=b"female"),
        "sex: several": raw(PatientSex=b"F\\M"),
        "de-identified": raw(PatientIdentityRemoved=b"YES", DeidentificationMethod=b""),
    },
    "name": {
        "nobody": _without("PatientName", "PatientSex", "PatientID", "ReferringPhysicianName"),
        "an empty name": raw(PatientName=b"", PatientSex=b""),
        "a long name": raw(PatientName=b"N" * 90 + b"^" + b"G" * 90, ReferringPhysicianName=b"R" * 99),
        "a name of many parts": raw(PatientName=b"A^B^C^D^E^F^G=H=I=J=K"),
        "a name of two lines": raw(PatientName=b"Doe\r\nJohn"),
        "two names": raw(PatientName=b"Doe^John\\Roe^Jane"),
        "nothing but marks": raw(PatientName=b"^^^^==", ReferringPhysicianName=b"^"),
        "UTF-8": raw(SpecificCharacterSet=b"UTF-8", PatientName=MUELLER.encode()),
        "ISO-IR 100": raw(SpecificCharacterSet=b"ISO-IR 100", PatientName=MUELLER.encode("latin-1")),
        "latin1": raw(SpecificCharacterSet=b"latin1", PatientName=MUELLER.encode("latin-1")),
        "ISO_IR 100": raw(SpecificCharacterSet=b"ISO_IR 100", PatientName=MUELLER.encode("latin-1")),
        "ISO_IR 192": raw(SpecificCharacterSet=b"ISO_IR 192", PatientName=MUELLER.encode()),
        "unknown, in Latin-1": raw(SpecificCharacterSet=b"NONSENSE", PatientName=MUELLER.encode("latin-1")),
        "unknown, in UTF-8": raw(SpecificCharacterSet=b"iso_ir_999", PatientName=MUELLER.encode()),
        "none, in Latin-1": raw(SpecificCharacterSet=b"", PatientName=MUELLER.encode("latin-1")),
        "said to be UTF-8, in Latin-1": raw(
            SpecificCharacterSet=b"ISO_IR 192", PatientName=MUELLER.encode("latin-1")
        ),
        "ISO 2022 IR 87": raw(SpecificCharacterSet=b"\\ISO 2022 IR 87", PatientName=_JAPANESE),
        "escapes that are not announced": raw(SpecificCharacterSet=b"ISO_IR 100", PatientName=_JAPANESE),
        "GB18030": raw(SpecificCharacterSet=b"GB18030", PatientName=WANG.encode("gb18030")),
        "odd bytes": raw(SpecificCharacterSet=b"ISO_IR 192", PatientName=b"A\xff\xfe\x80^B\x00"),
    },
}
"""Damages by what they concern: of different kinds, several can befall one file."""

BREAKS_UIDS = ("components with leading zeros", "letters")
"""Identifiers against the rule, which are kept: others would not be the images'."""
