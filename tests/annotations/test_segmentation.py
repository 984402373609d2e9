"""DICOM segmentations on their grid: every frame where it lies, whatever others are there; or refused."""

import sys

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import RLELossless

from tests.annotations.drawn import IDS, item
from tests.annotations.opened import read_seg
from tests.annotations.segs import write_seg
from tests.dicom.build import Recipe, write_series
from tests.dicom.test_seg import random_mask, read_series_geometry
from tests.grids import ORIENTATIONS, grid
from uteroseg.annotations.file import open_annotation
from uteroseg.annotations.regions import Choice
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.measure import volume_ml

SHAPE = (6, 5, 7)
KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")


def some(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).random(shape) > 0.5


def points(mask):
    """Patient coordinates of a mask's voxels, in an order of their own."""
    found = mask.geometry.to_patient(np.argwhere(mask.data))
    return found[np.lexsort(found.round(2).T)]


def read(path, images=None, **chosen):
    return open_annotation(path).mask(Choice(**chosen), lambda instances, points: images)


def require_same_voxels(mask, data, geometry):
    """The same voxels, of the same size, at the same places."""
    expected = geometry.to_patient(np.argwhere(data))
    np.testing.assert_allclose(points(mask), expected[np.lexsort(expected.round(2).T)], atol=2e-3)
    assert mask.geometry.voxel_volume_mm3 == pytest.approx(geometry.voxel_volume_mm3, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_frames_in_any_order_on_any_plane_give_exactly_those_voxels(tmp_path_factory, data):
    geometry = grid(data.draw(st.sampled_from(sorted(ORIENTATIONS))), SHAPE, (3.3, 1.5, 2.0))
    tumour, other = some(), some(seed=1)
    kind = data.draw(st.sampled_from(KINDS))
    segments = [("tumour", tumour)] if kind == "LABELMAP" else [("bladder", other), ("tumour", tumour)]
    number = 0 if kind == "LABELMAP" else 2
    frames = [(number, s) for s in data.draw(st.permutations(range(6)))][: data.draw(st.integers(1, 6))]
    beside = data.draw(st.lists(st.integers(0, 5), unique=True)) if number else []
    mixed = data.draw(st.permutations(frames + [(1, s) for s in beside]))
    evidence = data.draw(st.sampled_from(["spacing", "thickness", "images"]))
    path = write_seg(
        tmp_path_factory.mktemp("seg") / "seg.dcm",
        segments,
        geometry,
        frames=mixed,
        kind=kind,
        spacing=evidence == "spacing",
        thickness=evidence == "thickness",
        per_frame=data.draw(st.booleans()),
    )
    kept = np.zeros(SHAPE, bool)
    for _, s in frames:
        kept[s] = tumour[s]
    mask = read(path, geometry if evidence == "images" else None, name="tumour")
    require_same_voxels(mask, kept, geometry)
    assert mask.geometry.normal @ mask.geometry.affine[:3, 0] > 0


def test_the_volume_of_single_and_distant_slices_is_theirs(tmp_path):
    geometry = grid("sagittal", (9, 20, 20), (6.6, 2.0, 2.0))
    data = np.zeros(geometry.shape, bool)
    data[[2, 6], 5:15, 5:15] = True
    images = Geometry(geometry.shape, geometry.affine)
    for slices in ([2], [2, 6], [6, 2]):
        drawn = [(1, s) for s in slices]
        path = write_seg(
            tmp_path / "s.dcm", [("t", data)], geometry, frames=drawn, spacing=False, thickness=False
        )
        assert volume_ml(read(path, images)) == pytest.approx(len(slices) * 100 * 6.6 * 4 / 1000)
        with pytest.raises(UserError, match="fits no distance between slices that is stated"):
            read(path)


def thick(mm):
    def change(ds):
        ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = mm

    return change


@pytest.mark.parametrize(
    ("frames", "thickness", "step"),
    [
        ([0, 1, 2], 4, 4),  # slices that meet
        ([0, 2, 5], 4, 4),
        ([0, 1, 2], 3, 4),  # a gap, too small for another slice
        ([0, 1, 2], 8, 4),  # slices that overlap
        ([0, 1, 3], 3, 4),  # the nearest two are neighbours
        ([0, 2], 3.5, None),  # another could lie between
        ([0, 3], 3, 3),
        ([3], 4, 4),
        ([3], 0, None),
    ],
)
def test_without_spacing_and_images_the_thickness_tells_the_step_or_nothing_does(
    frames, thickness, step, tmp_path
):
    geometry = grid("oblique", SHAPE, (4.0, 2.0, 2.0))
    write_seg(
        tmp_path / "seg.dcm",
        [("t", np.ones(SHAPE, bool))],
        geometry,
        frames=[(1, s) for s in frames],
        spacing=False,
        change=thick(thickness),
    )
    if step is None:
        with pytest.raises(UserError, match="fits no distance between slices"):
            read(tmp_path / "seg.dcm")
    else:
        mask = read(tmp_path / "seg.dcm")
        assert mask.geometry.spacing[0] == pytest.approx(step)
        assert mask.data.any(axis=(1, 2)).sum() == len(frames)


def test_images_tell_the_step_only_along_an_axis_of_theirs(tmp_path):
    geometry = grid("sagittal", SHAPE, (2.0, 2.0, 2.0), (0, 0, 0))
    drawn = {"frames": [(1, 2)], "spacing": False, "thickness": False}
    path = write_seg(tmp_path / "seg.dcm", [("t", some())], geometry, **drawn)
    axial = grid("axial", (4, 30, 30), (5.0, 2.5, 2.5), (-20, -20, -20))
    assert read(path, axial).geometry.spacing[0] == pytest.approx(2.5)
    with pytest.raises(UserError, match="fits no distance"):
        read(path, grid("oblique", (4, 30, 30), (5.0, 2.5, 2.5)))


def test_a_spacing_that_its_frames_contradict_is_not_believed(tmp_path):
    geometry = grid("axial", SHAPE, (4.0, 2.0, 2.0))

    def wrong(ds):
        ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = 3

    path = write_seg(tmp_path / "seg.dcm", [("t", some())], geometry, change=wrong)
    require_same_voxels(read(path, geometry), some(), geometry)
    require_same_voxels(read(path), some(), geometry)  # by its thickness


def test_rounded_numbers_are_no_other_grid(tmp_path):
    shape = (40, 5, 7)
    geometry = grid("oblique", shape, (10 / 3, 2.0, 1.5))

    def rounded(ds):
        ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = "3.33"
        for frame in ds.PerFrameFunctionalGroupsSequence:
            place = frame.PlanePositionSequence[0]
            place.ImagePositionPatient = [f"{v:.1f}" for v in place.ImagePositionPatient]

    path = write_seg(tmp_path / "seg.dcm", [("t", some(shape))], geometry, change=rounded)
    mask = read(path)
    np.testing.assert_array_equal(mask.data, some(shape))
    assert mask.geometry.difference(geometry, tolerance_mm=0.2) is None


def moved(frame, mm):
    def change(ds):
        place = ds.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0]
        place.ImagePositionPatient = [
            float(v) + d for v, d in zip(place.ImagePositionPatient, mm, strict=True)
        ]

    return change


def turned(ds):
    orientation = item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    ds.PerFrameFunctionalGroupsSequence[2].PlaneOrientationSequence = [orientation]


def finer(ds):
    ds.PerFrameFunctionalGroupsSequence[2].PixelMeasuresSequence = [item(PixelSpacing=[1, 1])]


def fewer(ds):
    del ds.PerFrameFunctionalGroupsSequence[-1]


def nowhere(ds):
    del ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence


def skewed(ds):
    shared = ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    shared.ImageOrientationPatient = [1, 0, 0, 0.5, 1, 0]


def infinite(ds):
    ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["1", "0"]


def of_no_kind(ds):
    ds.SegmentationType = "COLOUR"


def of_no_size(ds):
    ds.SegmentationType, ds.MaximumFractionalValue = "FRACTIONAL", 0


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (of_no_kind, "SegmentationType is COLOUR"),
        (of_no_size, "SegmentationType is FRACTIONAL, and the largest value of a pixel 0"),
        (moved(3, (0, 0, 1.5)), "fits no distance between slices"),
        (moved(3, (2.0, 0, 0)), "beside the grid of the others"),
        (moved(3, (0, 0, 4.0)), "6 frames lie at 5 places"),
        (turned, "frame 3 has another orientation or spacing"),
        (finer, "frame 3 has another orientation or spacing"),
        (fewer, "it says of 5 frames where they lie, and has 6"),
        (nowhere, "cannot be read"),
        (skewed, "frame 1 does not say where it lies"),
        (infinite, "frame 1 does not say where it lies"),
        (lambda ds: delattr(ds, "PixelData"), "cannot be read"),
        (lambda ds: delattr(ds, "PerFrameFunctionalGroupsSequence"), "it says of 0 frames where they lie"),
    ],
)
def test_frames_that_form_no_grid_are_refused_by_name(change, found, tmp_path):
    geometry = grid("axial", SHAPE, (4.0, 2.0, 2.0))
    path = write_seg(tmp_path / "seg.dcm", [("t", some())], geometry, change=change)
    with pytest.raises(UserError, match=found) as caught:
        read(path)
    assert "seg.dcm" in caught.value.found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_kind_is_that_of_highdicom_compressed_too(kind, compressed, tmp_path):
    files = write_series(tmp_path / "dwi", Recipe(orientation="oblique", b_values=(0,)))
    mask = random_mask(read_series_geometry(files))
    pixels = mask.data * np.float32(0.8) + ~mask.data * np.float32(0.3)
    seg = hd.seg.Segmentation(
        source_images=sorted(map(pydicom.dcmread, files), key=lambda ds: int(ds.InstanceNumber)),
        pixel_array=pixels if kind == "FRACTIONAL" else mask.data.astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=1,
                segment_label="Tumour",
                segmented_property_category=pydicom.sr.codedict.codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=pydicom.sr.codedict.codes.SCT.Neoplasm,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
        ],
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
        **({"transfer_syntax_uid": RLELossless} if compressed and kind != "BINARY" else {}),
    )
    seg.save_as(tmp_path / "seg.dcm")
    read_back = read_seg(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(read_back.data, mask.data)
    volume = hd.seg.segread(tmp_path / "seg.dcm").get_volume(segment_numbers=[1])
    theirs = np.asarray(volume.affine) @ np.r_[0, 0, 0, 1]
    corners = read_back.geometry.to_patient([(0, 0, 0), (read_back.data.shape[0] - 1, 0, 0)])
    assert np.abs(corners - theirs[:3]).max(axis=1).min() < 1e-3


SEGMENTS = [(1, "green", 1), (2, "ORANGE", 2), (3, "PURPLE", 3), (4, "LIGHT*", 1), (5, "dark_blue", 1)]


def test_another_tools_seg_is_read(real_data):
    mask = read_seg(real_data / "dicom_seg" / "liver.dcm")
    truth = sitk.ReadImage(str(real_data / "dicom_seg" / "liver_seg.nrrd"))
    np.testing.assert_array_equal(mask.data, sitk.GetArrayFromImage(truth) > 0)
    point = truth.TransformIndexToPhysicalPoint((7, 5, 2))
    np.testing.assert_allclose(mask.geometry.to_patient((2, 5, 7)), point, atol=1e-3)


@pytest.mark.parametrize(("number", "name", "group"), SEGMENTS)
def test_every_one_of_overlapping_segments_is_that_of_its_truth(number, name, group, real_data):
    file = open_annotation(real_data / "dicom_seg" / "partial_overlaps.dcm")
    truth = sitk.ReadImage(str(real_data / "dicom_seg" / f"partial_overlaps-{group}.nrrd"))
    expected = sitk.GetArrayFromImage(truth) == number
    for choice in (Choice(number=number), Choice(name=name)):
        mask = file.mask(choice)
        np.testing.assert_array_equal(mask.data, expected)
    np.testing.assert_allclose(mask.geometry.to_patient((0, 0, 0)), truth.GetOrigin(), atol=1e-3)


def test_a_sparse_label_map_is_read_where_its_frames_lie(real_data):
    path = real_data / "dicom_seg" / "sparse-labelmap-noppv.dcm"
    mask, header = read_seg(path), pydicom.dcmread(path)
    assert mask.data.sum(axis=(1, 2)).tolist() == [315, 0, 315]
    assert mask.geometry.spacing == pytest.approx((2.5, 0.7, 0.7))
    for frame, pixels in zip(header.PerFrameFunctionalGroupsSequence, header.pixel_array, strict=True):
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        slice_index = round(float(mask.geometry.to_index(place)[0]))
        np.testing.assert_array_equal(mask.data[slice_index], pixels == 1)


def test_a_segmentation_without_coding_attributes_is_read(tmp_path):
    geometry = grid("oblique", SHAPE)

    def bare(ds):
        del ds.SegmentationType
        for keyword in ("SegmentAlgorithmType", "SegmentAlgorithmName", "SegmentLabel"):
            delattr(ds.SegmentSequence[0], keyword)
        for frame in ds.PerFrameFunctionalGroupsSequence:
            del frame.SegmentIdentificationSequence

    path = write_seg(tmp_path / "seg.dcm", [("t", some())], geometry, change=bare)
    require_same_voxels(read(path), some(), geometry)


def renumbered(ds):
    ds.SegmentSequence[1].SegmentNumber = 1


def test_segments_of_one_number_are_never_joined(tmp_path):
    segments = [("tumour", some()), ("bladder", some(seed=1)), ("uterus", some(seed=2))]
    path = write_seg(tmp_path / "seg.dcm", segments, grid("axial", SHAPE), change=renumbered)
    for chosen in ({"name": "tumour"}, {"name": "bladder"}):
        with pytest.raises(UserError, match="their number is one: 1 tumour; 1 bladder"):
            read(path, **chosen)
    with pytest.raises(UserError, match="holds 2 regions of number 1: 1 tumour; 1 bladder"):
        read(path, number=1)
    np.testing.assert_array_equal(read(path, name="uterus").data, some(seed=2))


def test_an_empty_segment_is_an_error_and_one_without_frames_too(tmp_path):
    empty, geometry = np.zeros(SHAPE, bool), grid("axial", SHAPE)
    path = write_seg(tmp_path / "seg.dcm", [("tumour", empty), ("bladder", some())], geometry)
    with pytest.raises(UserError, match=r"region 1 tumour is empty"):
        read(path, name="tumour")
    frames = [(2, s) for s in range(6)]
    write_seg(path, [("tumour", empty), ("bladder", some())], geometry, frames=frames)
    with pytest.raises(UserError, match=r"region 1 tumour is empty"):
        read(path, name="tumour")
    assert read(path, name="bladder").data.any()


@pytest.mark.parametrize(
    ("algorithm", "drawn_by"),
    [("AUTOMATIC", "net-7"), ("Automatic", "net-7"), ("SEMIAUTOMATIC", ""), ("MANUAL", "")],
)
def test_what_an_algorithm_drew_names_it(algorithm, drawn_by, tmp_path):
    path = write_seg(tmp_path / "seg.dcm", [("t", some())], grid("axial", SHAPE), algorithm=algorithm)
    assert open_annotation(path).drawn_by(Choice()) == drawn_by


@pytest.mark.parametrize(
    ("name", "choice", "found"),
    [
        ("partial_overlaps.dcm", Choice(), "holds 5 regions: 1 GREEN; 2 ORANGE"),
        ("partial_overlaps.dcm", Choice(number=9), "holds no region of number 9, it holds: 1 GREEN"),
        ("partial_overlaps.dcm", Choice(name="*BLUE"), "holds 2 regions of name .*4 LIGHT_BLUE; 5 DARK_BLUE"),
        ("source_ct/01.dcm", Choice(), "not a segmentation"),
        ("nothing.dcm", Choice(), "No such file"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(name, choice, found, real_data):
    with pytest.raises(UserError, match=found) as caught:
        read_seg(real_data / "dicom_seg" / name, choice=choice)
    assert name in caught.value.found


@pytest.mark.parametrize("undefined", [False, True], ids=["lengths", "delimiters"])
def test_a_truncated_seg_is_refused_by_name_wherever_it_ends(undefined, tmp_path):
    def delimited(ds):
        for element in ds:
            element.is_undefined_length = undefined and element.VR == "SQ"

    small = grid("axial", (2, 2, 3))
    path = write_seg(tmp_path / "seg.dcm", [("t", np.ones(small.shape, bool))], small, change=delimited)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"seg\.dcm"):
            read(path)


def test_highdicom_is_not_needed_to_read(tmp_path, monkeypatch):
    path = write_seg(tmp_path / "seg.dcm", [("t", some())], grid("axial", SHAPE))
    monkeypatch.setitem(sys.modules, "highdicom", None)
    assert read(path).data.any()
    assert open_annotation(path).reference.patient_id == IDS.patient


@pytest.mark.parametrize("spacing", [2.0, 1.0, 0.5, 3.0])
@pytest.mark.parametrize("frames", [[3], [1, 4], [0, 1, 2, 5]])
def test_a_spacing_that_the_images_contradict_changes_no_volume(frames, spacing, tmp_path):
    geometry = grid("oblique", SHAPE, (4.0, 2.0, 2.0))
    tumour, kept = some(), np.zeros(SHAPE, bool)
    kept[frames] = tumour[frames]

    def wrong(ds):
        ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = spacing

    drawn = [(1, s) for s in frames]
    path = write_seg(tmp_path / "seg.dcm", [("t", tumour)], geometry, frames=drawn, change=wrong)
    require_same_voxels(read(path, geometry), kept, geometry)


def test_frames_of_a_finer_grid_than_the_images_keep_it(tmp_path):
    geometry = grid("oblique", SHAPE, (2.0, 2.0, 2.0))
    images = grid("oblique", (3, *SHAPE[1:]), (4.0, 2.0, 2.0), tuple(geometry.to_patient((0, 0, 0))))
    path = write_seg(tmp_path / "seg.dcm", [("t", some())], geometry, frames=[(1, 0), (1, 1), (1, 4)])
    assert read(path, images).geometry.spacing[0] == pytest.approx(2.0)
    aside = grid("oblique", (3, 9, 9), (4.0, 2.0, 2.0), tuple(geometry.to_patient((0, -1, -1))))
    path = write_seg(tmp_path / "seg.dcm", [("t", some())], geometry, frames=[(1, 0), (1, 4)])
    assert read(path, aside).geometry.spacing[0] == pytest.approx(2.0)


@pytest.mark.parametrize("frames", [[0, 1, 2, 3, 4, 5], [1, 4], [3]])
@pytest.mark.parametrize("spacing", [True, False])
def test_a_skewed_grid_is_that_of_its_images(frames, spacing, tmp_path):
    straight = grid("sagittal", SHAPE, (4.0, 2.0, 2.0))
    affine = straight.affine.copy()
    affine[:3, 0] += 0.1 * affine[:3, 1]
    affine[:3, 0] *= 4 / np.linalg.norm(affine[:3, 0])
    geometry, kept = Geometry(SHAPE, affine), np.zeros(SHAPE, bool)
    kept[frames] = some()[frames]
    drawn = [(1, s) for s in frames]
    path = write_seg(tmp_path / "seg.dcm", [("t", some())], geometry, frames=drawn, spacing=spacing)
    require_same_voxels(read(path, geometry), kept, geometry)
    if len(frames) > 1:
        with pytest.raises(UserError, match="mm beside the grid of the others"):
            read(path)
