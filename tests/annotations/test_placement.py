"""A group's own annotations: matched with their studies, moved from T2 to DWI, or refused by name."""

import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.annotations import segs
from tests.annotations.drawn import (
    CYAN,
    DWI_GRID,
    RED,
    T2_GRID,
    Ids,
    ball,
    contours_of,
    write_examination,
    write_rtstruct,
)
from uteroseg.annotations.matching import match
from uteroseg.annotations.placement import place_annotation
from uteroseg.annotations.regions import Choice
from uteroseg.annotations.table import Annotation
from uteroseg.cli.main import app
from uteroseg.dataset.store import Dataset
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.nifti import write_image, write_mask
from uteroseg.imaging.study import Mask
from uteroseg.intake.ingest import ingest


def find(folder):
    return find_studies(scan_folder(folder))


OUTLINES = contours_of(ball(T2_GRID), T2_GRID)
LATER = Ids(study="1.2.3.2", frame="1.2.3.8", date="20200402")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """Two examinations of one patient, and the T2 and DWI instances of the first."""
    folder = tmp_path_factory.mktemp("clinic")
    drawn_on = write_examination(folder / "first")
    write_examination(folder / "later", LATER)
    return folder, drawn_on


@pytest.fixture
def on_t2(clinic):
    series, instances = clinic[1]["T2"]
    return {"series": series, "instances": instances}


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def taken_in(source, root, annotations, **options):
    unused = []
    outcomes = ingest(
        source, root, cohort="uterine", annotations=annotations, on_unused=unused.append, **options
    )
    return outcomes, [error.found for error in unused]


def test_contours_on_t2_find_their_study_and_keep_shape_and_volume(clinic, on_t2, tmp_path):
    write_rtstruct(
        tmp_path / "in/any_name", [("GTV", CYAN, OUTLINES), ("Uterus", RED, OUTLINES[:2])], **on_t2
    )
    outcomes, unused = taken_in(clinic[0], tmp_path / "out", tmp_path / "in", choice=Choice(colour=CYAN))
    assert not unused
    assert [(o.annotation_source, o.mask_ml is None) for o in outcomes] == [("T2", False), ("", True)]
    dataset = Dataset.open(tmp_path / "out")
    case = outcomes[0].case
    assert dice(dataset.load_mask(case).data, ball(DWI_GRID)) > 0.95
    sidecar = json.loads((dataset.root / case.annotation("json")).read_text())
    drawn_ml = ball(T2_GRID).sum() * T2_GRID.voxel_volume_mm3 / 1000
    assert sidecar["annotation_source"] == "T2"
    assert sidecar["volume_ml_as_drawn"] == pytest.approx(drawn_ml, abs=1e-3)
    assert sidecar["volume_ml"] == pytest.approx(drawn_ml, rel=0.01)
    assert sidecar["volume_ml_outside"] == 0
    text = json.dumps(sidecar)
    assert "GTV" not in text
    assert "t2_tse" not in text


def test_what_was_drawn_on_the_diffusion_images_is_preferred(clinic, on_t2, tmp_path):
    mask = ball(DWI_GRID, radius=9)
    series, instances = clinic[1]["DWI"]
    rois = [("GTV", CYAN, contours_of(mask, DWI_GRID))]
    write_rtstruct(tmp_path / "in/a", [("GTV", CYAN, OUTLINES)], **on_t2)
    write_rtstruct(tmp_path / "in/b", rois, series=series, instances=instances)
    outcomes, unused = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "in")
    assert (outcomes[0].annotation_source, unused) == ("DWI", [])
    placed = Dataset.open(tmp_path / "out").load_mask(outcomes[0].case)
    np.testing.assert_array_equal(placed.data, mask)


def test_a_mask_on_the_grid_of_t2_is_known_by_its_voxels_even_when_flipped(clinic, tmp_path):
    flipped = T2_GRID.affine.copy()
    flipped[:3, 3] = T2_GRID.to_patient((0, T2_GRID.shape[1] - 1, 0))
    flipped[:3, 1] *= -1
    geometry = type(T2_GRID)(T2_GRID.shape, flipped)
    write_mask(tmp_path / "mask.nii.gz", Mask(ball(geometry), geometry))
    (tmp_path / "t.csv").write_text("study,mask\nfirst,mask.nii.gz\n")
    outcomes, _ = taken_in(clinic[0], tmp_path / "out", tmp_path / "t.csv")
    assert outcomes[0].annotation_source == "T2"


def test_a_flipped_mask_of_the_diffusion_grid_stays_voxel_for_voxel(clinic, tmp_path):
    flipped = DWI_GRID.affine.copy()
    flipped[:3, 3] = DWI_GRID.to_patient((0, 0, DWI_GRID.shape[2] - 1))
    flipped[:3, 2] *= -1
    geometry = type(DWI_GRID)(DWI_GRID.shape, flipped)
    data = (np.random.default_rng(0).random(DWI_GRID.shape) > 0.5) & ball(DWI_GRID, radius=25)
    write_mask(tmp_path / "mask.nii.gz", Mask(data[..., ::-1].copy(), geometry))
    (tmp_path / "t.csv").write_text("study,mask\nfirst,mask.nii.gz\n")
    outcomes, _ = taken_in(clinic[0], tmp_path / "out", tmp_path / "t.csv")
    assert outcomes[0].annotation_source == "DWI"
    np.testing.assert_array_equal(Dataset.open(tmp_path / "out").load_mask(outcomes[0].case).data, data)


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (Ids(patient="P2"), "is of another patient"),
        (Ids(frame="1.2.3.77"), "lies in another frame of reference"),
        (Ids(study="1.2.3.66", date="20210506"), "dated 20210506, is of another examination"),
    ],
)
def test_a_mask_of_somebody_or_somewhere_else_is_refused_and_the_rest_goes_on(
    clinic, on_t2, ids, found, tmp_path
):
    wrong = write_rtstruct(tmp_path / "in/wrong.dcm", [("GTV", CYAN, OUTLINES)], ids)
    write_rtstruct(tmp_path / "in/right.dcm", [("GTV", CYAN, OUTLINES)], **on_t2)
    outcomes, unused = taken_in(clinic[0], tmp_path / "out", tmp_path / "in")
    assert len(unused) == 1
    assert found in unused[0]
    assert "wrong.dcm" in unused[0]
    assert [(o.status, o.mask_ml is None) for o in outcomes] == [("added", False), ("added", True)]
    (tmp_path / "t.csv").write_text(f"study,mask\nfirst,{wrong}\n")
    outcomes, _ = taken_in(clinic[0], tmp_path / "table", tmp_path / "t.csv")
    assert [o.status for o in outcomes] == ["failed", "added"]
    assert found in outcomes[0].error
    assert not list((tmp_path / "table").rglob("*mask*"))


def crossing():
    return T2_GRID.to_patient([(5, 10, 10), (5, 60, 60), (5, 60, 10), (5, 10, 60)])


@pytest.mark.parametrize(
    ("rois", "found"),
    [
        ([("GTV", CYAN, [(5, crossing())])], "crosses itself"),
        ([("GTV", CYAN, [(5, OUTLINES[0][1] + (400, 0, 0))])], "lies off every slice"),
        ([("GTV", CYAN, [(5, OUTLINES[0][1][:2])])], "has 2 points"),
        ([("GTV", CYAN, OUTLINES), ("GTV", RED, OUTLINES)], "holds 2 regions"),
        ([("Bladder", CYAN, OUTLINES)], "holds a region of name 'GTV', they hold: .*Bladder"),
        ([("GTV", CYAN, [(5, OUTLINES[0][1] + (0, 3000, 0))])], "encloses no pixel of its images"),
    ],
)
def test_a_bad_annotation_names_its_file_and_leaves_nothing_half_written(
    clinic, on_t2, rois, found, tmp_path
):
    write_rtstruct(tmp_path / "in/bad.dcm", rois, **on_t2)
    outcomes, _ = taken_in(clinic[0], tmp_path / "out", tmp_path / "in", choice=Choice(name="GTV"))
    assert [o.status for o in outcomes] == ["failed", "added"]
    with pytest.raises(UserError, match=found):
        raise UserError(outcomes[0].error, expected="", fix="")
    assert "bad.dcm" in outcomes[0].error
    dataset = Dataset.open(tmp_path / "out")
    assert len(dataset.cases()) == 1
    assert not [p for p in dataset.root.rglob("*") if "incoming" in str(p) or "mask" in p.name]


def test_files_that_cannot_be_matched_are_told_and_the_rest_goes_on(clinic, on_t2, real_data, tmp_path):
    path = write_rtstruct(tmp_path / "in/right", [("GTV", CYAN, OUTLINES)], **on_t2)
    (tmp_path / "in/cut.dcm").write_bytes(path.read_bytes()[:600])
    write_mask(tmp_path / "in/mask.nii.gz", Mask(ball(DWI_GRID), DWI_GRID))
    shutil.copy(real_data / "dicom_seg" / "liver.dcm", tmp_path / "in/third_party.dcm")
    outcomes, unused = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "in")
    assert [o.annotation_source for o in outcomes] == ["T2"]
    for name, found in (
        ("cut", "holds no region"),
        ("mask.nii", "does not say"),
        ("third_party", "another patient"),
    ):
        (message,) = [text for text in unused if name in text]
        assert found in message
    assert len(unused) == 3


def test_two_annotations_of_one_study_are_a_question_and_the_name_answers_it(clinic, on_t2, tmp_path):
    write_rtstruct(tmp_path / "in/a.dcm", [("GTV", CYAN, OUTLINES)], **on_t2)
    write_rtstruct(tmp_path / "in/b.dcm", [("UTERUS - 1", RED, OUTLINES)], **on_t2)
    (failed,), _ = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "in")
    assert "2 annotations could be" in failed.error
    assert "a.dcm (1 GTV (0,235,235))" in failed.error
    (outcome,), unused = taken_in(
        clinic[0] / "first", tmp_path / "out", tmp_path / "in", choice=Choice(name="uterus*")
    )
    assert outcome.annotation.name == "b.dcm"
    assert not unused


def test_a_single_mask_without_a_table_is_refused_before_anything_is_written(clinic, tmp_path):
    write_mask(tmp_path / "mask.nii.gz", Mask(ball(DWI_GRID), DWI_GRID))
    with pytest.raises(UserError, match="does not say which study"):
        taken_in(clinic[0], tmp_path / "out", tmp_path / "mask.nii.gz")
    assert not (tmp_path / "out").exists()


def test_what_lies_outside_the_study_is_reported(clinic, on_t2, tmp_path):
    middle = (0, 0, -34)
    data = ball(T2_GRID, middle)
    write_rtstruct(tmp_path / "in/rt", [("GTV", CYAN, contours_of(data, T2_GRID))], **on_t2)
    (outcome,), _ = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "in")
    centres = T2_GRID.to_patient(np.argwhere(data))
    index = DWI_GRID.to_index(centres)
    outside = ~((index >= -0.5) & (index < np.array(DWI_GRID.shape) - 0.5)).all(axis=1)
    assert outside.sum() > 100
    assert outcome.outside_ml == pytest.approx(outside.sum() * T2_GRID.voxel_volume_mm3 / 1000)


def test_motion_between_t2_and_dwi_is_found_recorded_and_shown(tmp_path):
    shift = (0.0, 6.0, -5.0)
    series, instances = write_examination(tmp_path / "in", shift=shift)["T2"]
    write_rtstruct(tmp_path / "in/rt.dcm", [("GTV", CYAN, OUTLINES)], series=series, instances=instances)
    placed = {}
    (outcome,), _ = taken_in(
        tmp_path / "in",
        tmp_path / "out",
        tmp_path / "in",
        register=True,
        on_mask=lambda case, study, one: placed.update({str(case): one}),
    )
    record = outcome.registration
    assert record["displacement_mm"] == pytest.approx(np.linalg.norm(shift), abs=1.0)
    assert record["applied"]
    dataset = Dataset.open(tmp_path / "out")
    assert json.loads((dataset.root / outcome.case.annotation("json")).read_text())["registration"] == record
    truth = ball(DWI_GRID, shift)
    assert dice(dataset.load_mask(outcome.case).data, truth) > 0.9
    assert dice(placed["sub-0001"].unregistered.data, truth) < 0.75


def test_contours_need_the_images_that_were_drawn_on_unless_they_lie_in_the_studys_slices(clinic, tmp_path):
    write_rtstruct(tmp_path / "in/rt.dcm", [("GTV", CYAN, OUTLINES)])
    for register in (True, False):
        (outcome,), _ = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "in", register=register)
        assert "put that series into the source folder" in outcome.error
    drawn = ball(DWI_GRID)
    write_rtstruct(tmp_path / "on dwi/rt.dcm", [("GTV", CYAN, contours_of(drawn, DWI_GRID))])
    (outcome,), _ = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "on dwi")
    np.testing.assert_array_equal(Dataset.open(tmp_path / "out").load_mask(outcome.case).data, drawn)
    assert "are not at hand: it lies in the study's slices" in str(outcome)


def test_the_command_says_what_it_would_take_and_draws_what_it_took(clinic, on_t2, tmp_path):
    write_rtstruct(tmp_path / "in/rt.dcm", [("ROI", RED, OUTLINES[:1]), ("ROI", CYAN, OUTLINES)], **on_t2)
    write_rtstruct(tmp_path / "in/lost.dcm", [("ROI", CYAN, OUTLINES)], Ids(patient="P9"))
    command = ["ingest", str(clinic[0]), str(tmp_path / "out"), "--cohort", "uterine", "--json"]
    command += ["--annotations", str(tmp_path / "in"), "--roi-colour", "0,235,235"]
    looked = CliRunner().invoke(app, [*command, "--dry-run"])
    assert looked.exit_code == 2
    values = json.loads(looked.stdout)
    assert [s["annotation"] and s["annotation"][-6:] for s in values["studies"]] == ["rt.dcm", None]
    assert "lost.dcm is of another patient" in values["unused_annotations"][0]
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, [*command, "--pictures", str(tmp_path / "pictures")])
    assert done.exit_code == 2
    assert [s["annotation_source"] for s in json.loads(done.stdout)["studies"]] == ["T2", None]
    assert [p.name for p in (tmp_path / "pictures").iterdir()] == ["sub-0001_ses-01.png"]


def test_a_dry_run_tells_several_candidates_apart_as_the_run_does(clinic, on_t2, tmp_path):
    write_rtstruct(tmp_path / "in/a.dcm", [("GTV", CYAN, OUTLINES)], **on_t2)
    studies = find_studies(scan_folder(clinic[0]))
    matches = match(tmp_path / "in/a.dcm", studies, clinic[0], Choice())
    assert [m.mask.name if (m := matches.of(found)) else None for found in studies] == ["a.dcm", None]


def seg(path, data, geometry=T2_GRID, **options):
    return segs.write_seg(path, [("GTV", data)], geometry, **options)


COUNTERS = []


def count_opened(event, arguments):
    if event == "open" and COUNTERS and not isinstance(arguments[0], int):
        COUNTERS[-1][Path(os.fsdecode(arguments[0])).name] += 1


@pytest.fixture
def opens():
    """How often each file was opened, by its name, whoever opened it."""
    if not COUNTERS:
        sys.addaudithook(count_opened)  # for good
    COUNTERS.append(Counter())
    yield COUNTERS[-1]
    COUNTERS[-1] = Counter()


@pytest.mark.parametrize("single", [False, True])
def test_what_is_matched_by_reference_is_opened_once(single, clinic, on_t2, opens, tmp_path):
    write_rtstruct(tmp_path / "rt/contours.dcm", [("GTV", CYAN, OUTLINES)], **on_t2)
    seg(tmp_path / "seg/voxels.dcm", ball(T2_GRID), **on_t2)
    studies = find(clinic[0] / "first")
    study = load_study(studies[0].used)
    opens.clear()
    for folder, name in (("rt", "contours.dcm"), ("seg", "voxels.dcm")):
        path = tmp_path / folder / (name if single else "")
        annotation = match(path, studies, clinic[0], Choice()).of(studies[0])
        assert annotation.named is single
        placed = place_annotation(annotation, study, found=studies[0])
        assert (placed.source, opens[name]) == ("T2", 1)
        assert dice(placed.mask.data, ball(DWI_GRID)) > 0.95


@pytest.mark.parametrize("slices", [[6], [4, 6], [6, 4, 9]])
def test_slices_of_a_segmentation_keep_their_volume_by_the_images_they_were_drawn_on(
    slices, clinic, on_t2, tmp_path
):
    """One slice of 1.33 mL came as 0.63, two that lay apart of 1.94 as 7.78."""
    data = np.zeros(T2_GRID.shape, bool)
    data[slices] = ball(T2_GRID)[slices]
    unstated = {"spacing": False, "thickness": False, "frames": [(1, s) for s in slices]}
    for instances in (on_t2["instances"], ()):
        seg(tmp_path / "in/a", data, series=on_t2["series"], instances=instances, **unstated)
        studies = find(clinic[0] / "first")
        annotation = match(tmp_path / "in", studies, clinic[0], Choice()).of(studies[0])
        placed = place_annotation(annotation, load_study(studies[0].used), found=studies[0])
        expected = data.sum() * T2_GRID.voxel_volume_mm3 / 1000
        assert placed.drawn_ml == pytest.approx(expected)
        assert placed.sidecar["volume_ml"] == pytest.approx(expected, rel=0.1)
        assert placed.notes == ()


def as_model(folder, data):
    """A mask beside a result.json, as predict leaves it."""
    folder.mkdir(parents=True)
    write_mask(folder / "mask.nii.gz", Mask(data, DWI_GRID))
    (folder / "result.json").write_text(json.dumps({"model": {"id": "net-7"}}))
    return folder / "mask.nii.gz"


@pytest.mark.parametrize("kind", ["segmentation", "contours", "mask", "segmentation of no type"])
def test_what_a_model_drew_counts_only_where_it_is_named(kind, clinic, on_t2, tmp_path):
    def automatic(ds):
        ds.StructureSetROISequence[0].ROIGenerationAlgorithm = "AUTOMATIC"
        ds.StructureSetROISequence[0].ROIGenerationDescription = "net-7"

    if kind == "segmentation":
        path = seg(tmp_path / "in/s.dcm", ball(T2_GRID), algorithm="AUTOMATIC", **on_t2)
    elif kind == "contours":
        path = write_rtstruct(tmp_path / "in/s.dcm", [("GTV", CYAN, OUTLINES)], change=automatic, **on_t2)
    else:
        path = as_model(tmp_path / "in", ball(DWI_GRID))
        if kind != "mask":
            path.unlink()
            path = seg(tmp_path / "in/s.dcm", ball(T2_GRID), algorithm="", **on_t2)
    (outcome,), unused = taken_in(clinic[0] / "first", tmp_path / "lying", tmp_path / "in")
    assert outcome.mask_ml is None
    (said,) = unused
    assert f"{path} was drawn by net-7" in said
    (tmp_path / "t.csv").write_text(f"study,mask,reader\nfirst,{path},B\n")
    for number, named in enumerate([tmp_path / "t.csv", path][: 1 if kind == "mask" else 2]):
        source = clinic[0] if named != path else clinic[0] / "first"
        root = tmp_path / f"named{number}"
        (outcome, *_), unused = taken_in(source, root, named)
        assert not unused
        sidecar = json.loads((root / outcome.case.annotation("json")).read_text())
        assert sidecar["drawn_by"] == "net-7"
        assert sidecar.get("reader") == (None if named == path else "B")


def test_what_people_drew_beside_a_result_counts(clinic, on_t2, tmp_path):
    as_model(tmp_path / "in", ball(DWI_GRID)).unlink()
    seg(tmp_path / "in/own.dcm", ball(T2_GRID), **on_t2)
    (outcome,), unused = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "in")
    assert (outcome.annotation_source, unused) == ("T2", [])


def test_what_systems_leave_about_and_links_do_no_harm(clinic, on_t2, tmp_path):
    folder = tmp_path / "in"
    path = write_rtstruct(folder / os.fsdecode(b"caf\xe9.dcm"), [("GTV", CYAN, OUTLINES)], **on_t2)
    for name in ("._rt.dcm", "._mask.nii.gz", ".DS_Store", "Thumbs.db", "__MACOSX/rt.dcm"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(path.read_bytes()[:600])
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "again.dcm").symlink_to(path)
    (outcome,), unused = taken_in(clinic[0] / "first", tmp_path / "out", folder)
    assert (outcome.annotation_source, unused) == ("T2", [])
    broken = folder / os.fsdecode(b"\xe9.dcm")
    broken.write_bytes(path.read_bytes()[:600])
    (outcome,), unused = taken_in(clinic[0] / "first", tmp_path / "again", folder)
    assert outcome.annotation_source == "T2"
    assert len(unused) == 1


def test_a_table_can_say_that_there_is_no_tumour(clinic, tmp_path):
    zeros = np.zeros(DWI_GRID.shape, np.uint8)
    write_image(tmp_path / "zeros.nii", zeros, DWI_GRID)
    seg(tmp_path / "empty.dcm", np.zeros(T2_GRID.shape, bool))
    write_mask(tmp_path / "full.nii", Mask(ball(DWI_GRID), DWI_GRID))
    for number, row in enumerate(("none,", "zeros.nii,none", "empty.dcm,none")):
        (tmp_path / "t.csv").write_text(f"study,mask,label,reader\nfirst,{row},A\n")
        (outcome, _), _ = taken_in(clinic[0], tmp_path / str(number), tmp_path / "t.csv")
        assert (outcome.annotation_source, outcome.mask_ml) == ("none", 0)
        dataset = Dataset.open(tmp_path / str(number))
        assert not dataset.load_mask(outcome.case).data.any()
        sidecar = json.loads((dataset.root / outcome.case.annotation("json")).read_text())
        assert (sidecar["reader"], sidecar["volume_ml"]) == ("A", 0)
    for row, found in (
        ("zeros.nii,", "nothing but background"),
        ("empty.dcm,", "region 1 GTV is empty"),
        ("full.nii,none", "said to hold no tumour"),
    ):
        (tmp_path / "t.csv").write_text(f"study,mask,label\nfirst,{row}\n")
        (outcome, _), _ = taken_in(clinic[0], tmp_path / "refused", tmp_path / "t.csv")
        assert outcome.status == "failed"
        assert found in outcome.error


def test_a_mask_that_lies_outside_by_more_than_half_is_refused(clinic, tmp_path):
    affine = DWI_GRID.affine.copy()
    affine[:3, 3] += (0, 0, 50)
    moved = Geometry(DWI_GRID.shape, affine)
    write_mask(tmp_path / "m.nii", Mask(ball(DWI_GRID, (0, 0, -10)), moved))
    study = load_study(find(clinic[0] / "first")[0].used)
    with pytest.raises(UserError, match=r"m\.nii: \d\.\d+ of \d\.\d+ mL lie outside the study"):
        place_annotation(Annotation(mask=tmp_path / "m.nii", choice=Choice()), study)


def test_a_mask_arrives_at_a_study_of_files_as_at_one_in_dicom(clinic, tmp_path):
    found, _ = find(clinic[0])
    study = load_study(found.used)
    for name, geometry, source in (("dwi", DWI_GRID, "DWI"), ("t2", T2_GRID, "another grid")):
        write_mask(tmp_path / f"{name}.nii.gz", Mask(ball(geometry), geometry))
        annotation = Annotation(mask=tmp_path / f"{name}.nii.gz", choice=Choice(), reader="A")
        alone, beside = place_annotation(annotation, study), place_annotation(annotation, study, found=found)
        assert alone.source == source
        np.testing.assert_array_equal(alone.mask.data, beside.mask.data)
        assert alone.sidecar | {"annotation_source": ""} == beside.sidecar | {"annotation_source": ""}


def test_two_rows_that_name_one_study_in_two_ways_are_refused(clinic, tmp_path):
    write_mask(tmp_path / "m.nii", Mask(ball(DWI_GRID), DWI_GRID))
    (tmp_path / "t.csv").write_text("study,mask\nfirst,m.nii\n1.2.3.1,none\n")
    (first, later), _ = taken_in(clinic[0], tmp_path / "out", tmp_path / "t.csv")
    assert "2 rows of the annotation table name the study" in first.error
    assert "in lines 2, 3" in first.error
    assert later.status == "added"


def test_a_copy_of_an_annotation_counts_once_and_another_version_does_not(clinic, on_t2, tmp_path):
    path = write_rtstruct(tmp_path / "in/rt.dcm", [("GTV", CYAN, OUTLINES)], **on_t2)
    (tmp_path / "in/again").mkdir()
    shutil.copy(path, tmp_path / "in/again/copy.dcm")
    (outcome,), unused = taken_in(clinic[0] / "first", tmp_path / "out", tmp_path / "in")
    assert (outcome.annotation_source, unused) == ("T2", [])
    write_rtstruct(tmp_path / "in/again/copy.dcm", [("GTV", CYAN, OUTLINES[1:])], **on_t2)
    (outcome,), _ = taken_in(clinic[0] / "first", tmp_path / "other", tmp_path / "in")
    assert "2 annotations could be that of the study" in outcome.error
