"""Virtual patients in the dialects of the public collections, in a bucket and as rows of the index."""

from copy import deepcopy

import numpy as np
import pydicom

from tests.intake.public.rows import row
from tests.phantom.dicom_build import small_study
from uteroseg.imaging.study import Mask
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.phantom.t2 import FINER, T2Image, t2_grid

UTERUS_COLOUR = (255, 0, 255)


def tumour_of(study):
    """A box of 17 mL."""
    data = np.zeros(study.geometry.shape, bool)
    data[1:4, 5:20, 3:9] = True
    return Mask(data, study.geometry)


def write(folder, patient, b_values, vendor):
    """The images of a patient, with the tumour drawn on finer ones; gives the study and the true mask."""
    study = small_study(b_values=b_values)
    mask = tumour_of(study)
    fine = np.repeat(np.repeat(mask.data, FINER, axis=1), FINER, axis=2).astype(np.float32)
    t2 = T2Image(np.rint(800 + 200 * fine), t2_grid(study.geometry), fine)
    write_dicom(study, folder, patient_id=patient, seed=1, vendor=vendor, t2=t2)
    return study, mask


def describe(folder, **values):
    """Change elements of every file below a folder (or of one file)."""
    for path in [folder] if folder.is_file() else sorted(folder.glob("*.dcm")):
        file = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(file, keyword, value)
        file.save_as(path)


def strip_private(folder):
    """Remove what tells b-values: private elements, as de-identification does."""
    for path in folder.glob("*.dcm"):
        file = pydicom.dcmread(path)
        file.remove_private_tags()
        file.save_as(path)


def add_uterus(path):
    """Give an RTSTRUCT a second region of the same name, as large as the first, in the uterus's colour."""
    file = pydicom.dcmread(path)
    for sequence, number in (
        (file.StructureSetROISequence, "ROINumber"),
        (file.ROIContourSequence, "ReferencedROINumber"),
        (file.RTROIObservationsSequence, "ReferencedROINumber"),
    ):
        second = deepcopy(sequence[0])
        setattr(second, number, 2)
        sequence.append(second)
    file.RTROIObservationsSequence[1].ObservationNumber = 2
    file.ROIContourSequence[1].ROIDisplayColor = list(UTERUS_COLOUR)
    for contour in file.ROIContourSequence[1].ContourSequence:
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        contour.ContourData = list((points.mean(0) + 1.3 * (points - points.mean(0))).round(3).ravel())
    for roi in file.StructureSetROISequence:
        roi.ROIName = "ROI"
    file.save_as(path)


def publish(folder, collection, doi):
    """Files of a bucket by key, and a row of the index for each series below a folder."""
    by_series = {}
    for path in sorted(folder.rglob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        by_series.setdefault(header.SeriesInstanceUID, []).append((path, header))
    files, rows = {}, []
    for number, (uid, members) in enumerate(by_series.items()):
        prefix, first = f"{folder.name}-{number}", members[0][1]
        for path, header in members:
            files[f"{prefix}/{header.SOPInstanceUID}.dcm"] = path.read_bytes()
        rows.append(
            row(
                first.SeriesDescription,
                modality=first.Modality,
                number=first.SeriesNumber,
                study=first.StudyInstanceUID,
                patient=first.PatientID,
                collection=collection,
                uid=uid,
                files=len(members),
                address=f"s3://idc-open-data/{prefix}/*",
                doi=doi,
            )
        )
    return files, rows
