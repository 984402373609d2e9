"""Identity planted in every text field of scanner files, and looked for in every byte of the dataset."""

import gzip
import shutil

import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset as Header

from tests.dicom.build import Recipe, write_series
from uteroseg.dataset.store import Dataset
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.imaging.nifti import write_mask
from uteroseg.imaging.study import Mask
from uteroseg.intake.ingest import ingest

NAME = "PLANTED"
DATE, TIME = "19510203", "041526.789"
UID = "1.2.826.0.1.999.777.555"
TEXTS = {
    "LO": NAME,
    "SH": NAME,
    "PN": f"{NAME}^X",
    "LT": NAME,
    "ST": NAME,
    "UT": NAME,
    "UC": NAME,
    "AE": NAME,
}
DATES = {"DA": DATE, "TM": TIME, "DT": DATE + TIME, "AS": "071Y"}
PLANTS = TEXTS | DATES | {"CS": NAME, "UR": NAME, "UI": UID}
SECRETS = (NAME, DATE, TIME, UID, "1951-02-03", "SECRET", "Secret", "19500101", "20200102")

# What says what a file is: with another value it would not be read at all.
MEANING = {
    *("SpecificCharacterSet", "SOPClassUID", "ImageType", "Modality", "PhotometricInterpretation"),
    *(
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "FrameOfReferenceUID",
        "RescaleType",
        "Units",
    ),
    *(
        "DiffusionDirectionality",
        "MRAcquisitionType",
        "TransferSyntaxUID",
        "AcquisitionContrast",
        "FrameType",
    ),
}
# Fields that are read, with identity beside what is looked for.
BESIDE = {
    "Manufacturer": f"SIEMENS {NAME}",
    "ManufacturerModelName": f"Aera {NAME}",
    "SeriesDescription": f"DWI {NAME}",
    "SequenceName": f"*ep_b0t {NAME}",
    "ScanningSequence": ["EP", NAME],
    "SequenceVariant": ["SK", NAME],
}


def filled() -> Header:
    """Every text element that the standard knows, with identity in it."""
    ds = Header()
    for tag, (vr, *_) in DicomDictionary.items():
        keyword = keyword_for_tag(tag)
        if vr in PLANTS and keyword and keyword not in MEANING and tag >> 16 > 0x0004:
            setattr(ds, keyword, BESIDE.get(keyword, PLANTS[vr]))
    return ds


FILLED = filled()


def plant(ds: Header) -> None:
    """Put identity into every standard element, into private ones, and into nested items."""
    ds.update(FILLED)
    deep = Header()
    deep.RequestAttributesSequence = [FILLED]
    ds.ReferencedStudySequence = [deep]
    for group in (0x0009, 0x0019, 0x0029, 0x0043, 0x0065, 0x2001, 0x2005):
        block = ds.private_block(group, f"{NAME} CREATOR", create=True)
        for number, vr in enumerate(("LO", "PN", "UT", "SH", "DA")):
            block.add_new(0x60 + number, vr, PLANTS[vr])
        block.add_new(0x70, "OB", NAME.encode() * 2)
        block.add_new(0x71, "SQ", [ds.ReferencedStudySequence[0]] if group == 0x0029 else [])


def bytes_of(root):
    """Everything in a dataset, names included."""
    for path in root.rglob("*"):
        yield path, str(path.relative_to(root)).encode()
        if path.is_file():
            content = path.read_bytes()
            yield path, gzip.decompress(content) if path.suffix == ".gz" else content


def found(root):
    return {
        (path.name, secret)
        for path, content in bytes_of(root)
        for secret in SECRETS
        if secret.encode() in content
    }


def annotated(source, tmp_path, shape_of):
    """A NIfTI mask with identity in its header, and the table that names it."""
    import nibabel as nib

    mask = tmp_path / "mask.nii.gz"
    geometry = shape_of.geometry
    data = np.zeros(geometry.shape, bool)
    data[1:3, 4:7, 4:7] = True
    write_mask(mask, Mask(data, geometry))
    image = nib.load(mask)
    image.header["descrip"] = f"{NAME} {DATE}"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", NAME.encode()))
    nib.save(image, tmp_path / "planted.nii.gz")
    table = tmp_path / "annotations.csv"
    table.write_text(f"study,mask\n{source},planted.nii.gz\n")
    return table


@pytest.mark.parametrize("options", [ReadOptions(), ReadOptions(drop_incomplete=True)])
def test_identity_in_every_text_field_stays_out_of_the_dataset(tmp_path, options):
    recipe = Recipe((0, 400, 800), slices=3, adjust=plant, study_uid=f"{UID}.1", frame_of_reference_uid=UID)
    files = write_series(tmp_path / "in" / NAME, recipe)
    if options.drop_incomplete:
        files[4].unlink()
    first = ingest(tmp_path / "in", tmp_path / "one", cohort="uterine", options=options)
    study = Dataset.open(tmp_path / "one").load_study(first[0].case)
    table = annotated(NAME, tmp_path, study)
    (added,) = ingest(tmp_path / "in", tmp_path / "two", cohort="uterine", options=options, annotations=table)
    assert (added.status, added.mask_ml is not None) == ("added", True)
    assert sum(NAME in str(element.value) for element in pydicom.dcmread(files[0])) > 500
    assert found(tmp_path / "one") == set()
    assert found(tmp_path / "two") == set()


def test_planted_identity_would_be_found(tmp_path):
    """The search itself can fail: it finds a secret in a sidecar, in a compressed image, and in a name."""
    root = tmp_path / "d"
    root.mkdir()
    (root / "a.json").write_text(f'{{"x": "{DATE}"}}')
    (root / "b.nii.gz").write_bytes(gzip.compress(b"..." + NAME.encode()))
    (root / f"{UID}.tsv").write_text("")
    assert {secret for _, secret in found(root)} == {DATE, NAME, UID}


@pytest.mark.parametrize("series", ["prostatex/0000/dwi", "siemens_xa30_enhanced"])
def test_identity_planted_into_real_files_stays_out_of_the_dataset(real_data, tmp_path, series):
    source = shutil.copytree(real_data / series, tmp_path / "in")
    planted = 0
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        try:
            ds = pydicom.dcmread(path)
        except pydicom.errors.InvalidDicomError:
            continue
        planted += plant_into_present(ds)
        ds.PatientName, ds.PatientID, ds.StudyDate = f"{NAME}^X", NAME, DATE
        ds.save_as(path)
    assert planted > 20
    outcomes = ingest(source, tmp_path / "out", cohort="male")
    assert [o.status for o in outcomes] == ["added"]
    assert found(tmp_path / "out") == set()


def plant_into_present(ds: Header) -> int:
    """Put identity into the text elements that a real file has, at every depth; count them."""
    count = 0
    for element in ds:
        if element.VR == "SQ":
            count += sum(plant_into_present(item) for item in element.value)
        elif element.VR in TEXTS and element.keyword not in {*MEANING, *BESIDE} and not element.is_private:
            element.value = PLANTS[element.VR]
            count += 1
        elif element.keyword in BESIDE and element.keyword != "SequenceName":
            element.value = BESIDE[element.keyword]
            count += 1
    return count
