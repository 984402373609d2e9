import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from tests.phantom.dicom_build import (
    B_VALUES,
    ENCODINGS,
    SLICES,
    VENDORS,
    small_mask,
    small_study,
)
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import Mask
from uteroseg.phantom.dicom_files import write_dicom

UIDS = [
    "1.2.826.0.1.3680043.8.498.84317048553408280846606160303678832842",
    "1.2.826.0.1.3680043.8.498.96286120829281301725127101030298589363",
    "1.2.826.0.1.3680043.8.498.24130018367263172141578097742603043521",
    "1.2.826.0.1.3680043.8.498.99296117672881226799860402786588704838",
]


def write(study, folder, **options):
    write_dicom(study, folder, **{"patient_id": "virtual-1", "seed": 3, **options})
    return folder


def images(folder, series="dwi"):
    return [pydicom.dcmread(path) for path in sorted((folder / series).iterdir())]


def in_vendor_element(file):
    """The b-value as the file's vendor writes it, and whether the standard's attribute is there."""
    private = {
        "SIEMENS": (0x0019, 0x100C),
        "GE MEDICAL SYSTEMS": (0x0043, 0x1039),
        "Philips Medical Systems": (0x2001, 0x1003),
        "UIH": (0x0065, 0x1009),
    }
    tag = private.get(file.Manufacturer.split(" (")[0])
    value = file[tag].value if tag else None
    return (value[0] if isinstance(value, pydicom.multival.MultiValue) else value), file.get(
        "DiffusionBValue"
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every vendor and encoding, with the mask; not to be changed."""
    root, study = tmp_path_factory.mktemp("dicom"), small_study()
    for vendor in VENDORS:
        for encoding in ENCODINGS:
            options = {"vendor": vendor, "encoding": encoding, "mask": small_mask(study.geometry)}
            write(study, root / f"{vendor}-{encoding}", **options)
    return root


@pytest.mark.parametrize("plane", ["axial", "sagittal"])
def test_positions_reproduce_the_geometry(plane, tmp_path):
    study = small_study(plane)
    files = images(write(study, tmp_path / "out"))[:SLICES]
    positions = np.array([f.ImagePositionPatient for f in files], float)
    first = files[0]
    geometry = Geometry.from_dicom(
        (len(files), first.Rows, first.Columns),
        position=positions[0],
        orientation=first.ImageOrientationPatient,
        pixel_spacing=first.PixelSpacing,
        slice_step=positions[1] - positions[0],
    )
    assert geometry.difference(study.geometry, tolerance_mm=1e-4) is None
    assert float(first.SpacingBetweenSlices) == 4.5


@pytest.mark.parametrize("vendor", ["siemens", "ge", "canon", "uih"])
def test_pixels_that_fit_are_kept_exactly(vendor, written):
    files = images(written / f"{vendor}-classic")
    signal = small_study().signal
    np.testing.assert_array_equal(np.stack([f.pixel_array for f in files]).reshape(signal.shape), signal)
    assert len({f.SOPInstanceUID for f in files}) == len(files)
    assert len({f.SeriesInstanceUID for f in files}) == 1
    assert "virtual" in files[0].SeriesDescription


def test_brighter_pixels_share_one_factor(tmp_path):
    study = small_study(brightest=9000)
    files = images(write(study, tmp_path / "out"))
    stored = np.stack([f.pixel_array for f in files]).reshape(study.signal.shape)
    assert stored.max() == 4095
    np.testing.assert_allclose(stored, study.signal * (4095 / study.signal.max()), atol=0.51)


@pytest.mark.parametrize(
    ("vendor", "private", "standard"),
    [
        ("siemens", [0, 50, 1000], [0, 50, 1000]),
        ("ge", [1_000_000_000, 1_000_000_050, 1_000_001_000], [None] * 3),
        ("philips", [pytest.approx(0.001), 50, 1000], [None] * 3),
        ("canon", [None] * 3, [None, 50, 1000]),
        ("uih", [0, 50, 1000], [None] * 3),
    ],
)
def test_each_vendor_writes_b_values_its_own_way(vendor, private, standard, written):
    files = images(written / f"{vendor}-classic")[::SLICES]
    assert [in_vendor_element(f) for f in files] == list(zip(private, standard, strict=True))


def test_siemens_names_the_b_value_in_the_sequence_name(written):
    assert [f.SequenceName for f in images(written / "siemens-classic")[::SLICES]] == [
        "*ep_b0t",
        "*ep_b50t",
        "*ep_b1000t",
    ]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_philips_signal_compares_only_by_the_scale_slope(encoding, written):
    files = images(written / f"philips-{encoding}")
    if encoding == "classic":
        slopes = [float(f.RescaleSlope) for f in files]
        scale_slopes = [f[0x2005, 0x100E].value for f in files]
        stored = np.stack([f.pixel_array for f in files])
    else:
        frames = files[0].PerFrameFunctionalGroupsSequence
        slopes = [float(f.PixelValueTransformationSequence[0].RescaleSlope) for f in frames]
        scale_slopes = [
            f.private_block(0x2005, "Philips MR Imaging DD 005")[0x0F][0][0x2005, 0x100E].value
            for f in frames
        ]
        stored = files[0].pixel_array
    truth = small_study().signal
    stored = stored.reshape(truth.shape).astype(float)
    slope, scale_slope = (np.array(v)[::SLICES, None, None, None] for v in (slopes, scale_slopes))
    wanted = truth[2].mean() / truth[0].mean()

    def ratio(image):
        return image[2].mean() / image[0].mean()

    assert ratio(stored) > 1.5 * wanted
    assert ratio(stored * slope) > 1.5 * wanted
    np.testing.assert_allclose(stored * slope / (slope * scale_slope), truth, rtol=1e-9)


@pytest.mark.parametrize("vendor", ["siemens", "philips"])
def test_every_enhanced_frame_says_where_it_lies_and_what_it_is(vendor, written):
    study = small_study()
    (file,) = images(written / f"{vendor}-enhanced")
    frames, (shared,) = file.PerFrameFunctionalGroupsSequence, file.SharedFunctionalGroupsSequence
    assert len(frames) == int(file.NumberOfFrames) == SLICES * 3
    expected = [(b, s) for b in range(3) for s in range(SLICES)]
    for frame, (b, s) in zip(frames, expected, strict=True):
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(position, study.geometry.to_patient((s, 0, 0)), atol=1e-6)
        assert frame.MRDiffusionSequence[0].DiffusionBValue == B_VALUES[b]
        assert list(frame.FrameContentSequence[0].DimensionIndexValues) == [1, s + 1, b + 1]
        assert ("PixelMeasuresSequence" in frame) == (vendor == "siemens")
    assert ("PixelMeasuresSequence" in shared) == (vendor != "siemens")
    pointers = [item.DimensionIndexPointer for item in file.DimensionIndexSequence]
    assert [pydicom.datadict.keyword_for_tag(tag) for tag in pointers] == [
        "StackID",
        "InStackPositionNumber",
        "TemporalPositionIndex",
    ]


def test_siemens_adc_map_holds_um2_per_s_without_a_slope(written):
    files = images(written / "siemens-classic", "adc")
    assert len(files) == SLICES
    assert not any("RescaleSlope" in f or "DiffusionBValue" in f for f in files)
    expected = np.clip(small_study().fit().adc * 1000, 0, 4095)
    np.testing.assert_allclose(np.stack([f.pixel_array for f in files]), expected, atol=0.51)


def test_the_scanners_own_adc_map_is_written_where_there_is_one_and_none_if_not_wanted(tmp_path):
    study = small_study()
    own = np.full(study.geometry.shape, 1.234, np.float32)
    folder = write(replace(study, scanner_adc=own), tmp_path / "own")
    assert {int(v) for f in images(folder, "adc") for v in f.pixel_array.flat} == {1234}
    assert not (write(study, tmp_path / "without", adc=False) / "adc").exists()


def test_the_mask_names_its_reader_and_the_series_it_belongs_to(written):
    seg = pydicom.dcmread(written / "ge-classic" / "seg.dcm")
    (segment,) = seg.SegmentSequence
    assert (segment.SegmentAlgorithmType, seg.ContentCreatorName) == ("MANUAL", "simulation")
    assert "SegmentAlgorithmName" not in segment  # a true mask is no model's
    assert "SegmentationAlgorithmIdentificationSequence" not in segment
    (reference,) = seg.ReferencedSeriesSequence
    dwi = images(written / "ge-classic")
    assert reference.SeriesInstanceUID == dwi[0].SeriesInstanceUID != seg.SeriesInstanceUID
    referenced = {item.ReferencedSOPInstanceUID for item in reference.ReferencedInstanceSequence}
    assert referenced == {f.SOPInstanceUID for f in dwi[:SLICES]}
    assert seg.StudyInstanceUID == dwi[0].StudyInstanceUID


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_writing_again_gives_the_same_bytes(encoding, written, tmp_path):
    first, study = written / f"philips-{encoding}", small_study()
    options = {"vendor": "philips", "encoding": encoding, "mask": small_mask(study.geometry)}
    again = write(study, tmp_path / "again", **options)
    paths = [path.relative_to(first) for path in first.rglob("*.dcm")]
    assert len(paths) == len(list(again.rglob("*.dcm"))) == (25 if encoding == "classic" else 3)
    for path in paths:
        assert (first / path).read_bytes() == (again / path).read_bytes(), path


def test_no_two_writers_patients_studies_or_seeds_share_a_uid(written, tmp_path):
    study = small_study()
    others = [
        write(study, tmp_path / "patient", patient_id="virtual-2"),
        write(study, tmp_path / "study", study_id="on another scanner"),
        write(study, tmp_path / "seed", seed=4),
    ]
    folders = [*written.iterdir(), *others]
    series = {images(folder, kind)[0].SeriesInstanceUID for folder in folders for kind in ("dwi", "adc")}
    assert len(series) == 2 * len(folders) == 26


@pytest.mark.parametrize(
    ("manufacturer", "expected"),
    [("GE", "GE MEDICAL SYSTEMS"), ("United Imaging", "UIH"), ("Virtual", "SIEMENS")],
)
def test_the_dialect_follows_the_studys_manufacturer(manufacturer, expected, tmp_path):
    study = small_study(Manufacturer=manufacturer, ManufacturersModelName="Virtual SIGNA HDxt")
    first = images(write(study, tmp_path / "out", adc=False))[0]
    assert first.Manufacturer == f"{expected} (uteroseg virtual patient)"
    assert (first.ManufacturerModelName == "Virtual SIGNA HDxt") == (manufacturer != "Virtual")


def test_a_folder_that_holds_something_is_refused(written):
    with pytest.raises(UserError, match="empty"):
        write(small_study(), written / "ge-classic")


@pytest.mark.parametrize("option", [{"vendor": "hitachi"}, {"encoding": "mosaic"}])
def test_what_is_not_known_is_refused_by_name(option, tmp_path):
    (value,) = option.values()
    with pytest.raises(UserError, match=value):
        write(small_study(), tmp_path / "out", **option)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_patient_without_tumour_has_no_mask(encoding, tmp_path):
    study = small_study()
    empty = Mask(np.zeros(study.geometry.shape, bool), study.geometry)
    folder = write(study, tmp_path / "out", encoding=encoding, mask=empty)
    assert sorted(path.name for path in folder.iterdir()) == ["adc", "dwi"]


def test_uids_are_those_of_c24f040(written):
    """They are what a dataset knows a study by."""
    (file,) = images(written / "philips-enhanced")
    seg = pydicom.dcmread(written / "philips-enhanced" / "seg.dcm")
    assert [file.StudyInstanceUID, file.SeriesInstanceUID, file.SOPInstanceUID, seg.SOPInstanceUID] == UIDS
    assert file.PatientID == "virtual-1"


def test_nothing_is_left_of_a_patient_whose_mask_is_on_another_grid(tmp_path):
    study, other = small_study("sagittal"), small_study("axial").geometry
    with pytest.raises(UserError, match="grids differ"):
        write(study, tmp_path / "out", mask=Mask(np.zeros(other.shape, bool), other))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_patient_that_was_interrupted(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("uteroseg.phantom.dicom_files.write_segmentations", interrupted)
    study = small_study()
    with pytest.raises(KeyboardInterrupt):
        write(study, tmp_path / "out", mask=small_mask(study.geometry))
    assert list(tmp_path.iterdir()) == []


def test_highdicom_is_imported_only_for_masks():
    code = "import sys, uteroseg.phantom.dicom_files as d; assert d and 'highdicom' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian dicom3tools) is not installed")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_dciodvfy_finds_no_errors(vendor, encoding, written):
    folder = written / f"{vendor}-{encoding}"
    dwi = sorted((folder / "dwi").iterdir())
    for path in {dwi[0], dwi[-1], folder / "adc" / "MR0001.dcm", folder / "seg.dcm"}:
        told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        printed = told.stdout + told.stderr
        assert "MRImage" in printed or "Segmentation" in printed  # it ran and recognised the object
        assert [line for line in printed.splitlines() if line.startswith("Error")] == []
