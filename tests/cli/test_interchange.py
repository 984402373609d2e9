"""uteroseg ingest of images in the layouts of other programs."""

import json

import numpy as np
import pytest

from tests import tiny
from tests.intake.layouts import decathlon, nifti, nnunet
from uteroseg.dataset.store import Dataset
from uteroseg.imaging.nifti import write_mask
from uteroseg.imaging.study import Mask
from uteroseg.model.nnunet import export_nnunet


def test_nifti_with_a_table_of_masks_becomes_a_dataset(run, tmp_path):
    nifti(tmp_path / "in", "p1/dwi", seed=1)
    _, mask = nifti(tmp_path / "in", "p2/dwi", seed=2)
    write_mask(tmp_path / "m.nii.gz", mask)
    (tmp_path / "masks.csv").write_text("study,mask,label\np2,m.nii.gz,\n")
    command = ("ingest", tmp_path / "in", tmp_path / "d", "--cohort", "uterine")
    code, out, _ = run(*command, "--dry-run")
    assert (code, (tmp_path / "d").exists()) == (0, False)
    assert (
        "added    sub-0001 from p1/dwi: b 0, 1000 s/mm² (read from .bval file), without scanner ADC, no mask"
        in out
    )
    assert "a dry run, nothing was written" in out
    code, out, _ = run(*command, "--annotations", tmp_path / "masks.csv", "--adc-b-min", 0)
    assert code == 0
    assert (
        "added    sub-0002 from p2/dwi: b 0, 1000 s/mm² (read from .bval file), without scanner ADC, mask"
        in out
    )
    assert "2 added (2 studies of 2 patients)" in out
    code, out, _ = run(*command)
    assert (code, "2 present" in out) == (0, True)
    (tmp_path / "in/p1/dwi.bval").write_text("0")
    code, out, err = run(*command, "--json")
    studies = json.loads(out)["studies"]
    assert (code, [one["status"] for one in studies]) == (2, ["failed", "present"])
    assert "Not everything came in" in err


def test_a_mask_that_differs_ends_with_an_error_unless_it_is_to_replace_the_old_one(run, tmp_path):
    _, mask = nifti(tmp_path / "in", "p1/dwi", seed=1)
    (tmp_path / "masks.csv").write_text("study,mask\np1,m.nii.gz\n")
    command = (
        "ingest",
        tmp_path / "in",
        tmp_path / "d",
        "--cohort",
        "c",
        "--annotations",
        tmp_path / "masks.csv",
    )
    write_mask(tmp_path / "m.nii.gz", mask)
    assert run(*command)[0] == 0
    write_mask(tmp_path / "m.nii.gz", Mask(np.roll(mask.data, 2, axis=1), mask.geometry))
    for dry in ([], ["--dry-run"]):
        code, out, _ = run(*command, *dry)
        assert (code, "DIFFERS  sub-0001" in out, "1 differs" in out) == (2, True, True)
    code, out, _ = run(*command, "--replace-masks")
    assert (code, "1 mask replaced" in out) == (0, True)


@pytest.mark.parametrize(("layout", "source"), [(nnunet, "nnunet"), (decathlon, "decathlon")])
def test_data_of_nnunet_and_the_decathlon_become_a_dataset(run, tmp_path, layout, source):
    layout(tmp_path / "Task1", [("Tr", "a", 1), ("Ts", "b", 2)])
    command = ("ingest", tmp_path / "Task1", tmp_path / "d", "--json")
    code, _, err = run(*command)
    assert (code, "add --cohort" in err) == (2, True)
    code, out, _ = run(*command, "--cohort", "uterine")
    assert code == 0
    assert [(one["case"], one["split"]) for one in json.loads(out)["studies"]] == [
        ("sub-0001", "train"),
        ("sub-0002", "test"),
    ]
    people = Dataset.open(tmp_path / "d").participants.values()
    assert {person.source for person in people} == {source}


def test_an_export_comes_back_as_the_dataset_that_it_was(run, tmp_path):
    dataset = tiny.cohorts(tmp_path / "data", train=1, test=1)
    folder = export_nnunet(dataset, tmp_path / "raw").folder
    code, _, err = run("ingest", folder, tmp_path / "back", "--cohort", "uterine")
    assert (code, "cohorts cervical, uterine" in err) == (2, True)
    code, out, _ = run("ingest", folder, tmp_path / "back", "--dry-run")
    assert (code, (tmp_path / "back").exists()) == (0, False)
    code, out, _ = run("ingest", folder, tmp_path / "back")
    assert (code, "4 added (4 studies of 4 patients)" in out) == (0, True)
    back = Dataset.open(tmp_path / "back")
    assert (back.fingerprint(), back.participants) == (dataset.fingerprint(), dataset.participants)


@pytest.mark.parametrize(
    ("layout", "options", "told"),
    [
        (nifti, ("--label", "tumour"), "for these --label means nothing"),
        (nifti, ("--align",), "for these --align means nothing"),
        (nnunet, ("--annotations", "masks.csv"), "for these --annotations means nothing"),
        (nnunet, ("--register", "--b-values", "0,500"), "for these --register, --b-values means nothing"),
        (nnunet, ("--label", "node"), "holds tumour, and not 'node'"),
    ],
)
def test_options_that_do_not_fit_are_refused(run, tmp_path, layout, options, told):
    layout(tmp_path / "in", "p1/dwi" if layout is nifti else [("Tr", "a", 1)])
    code, _, err = run("ingest", tmp_path / "in", tmp_path / "d", "--cohort", "uterine", *options)
    assert code == 2
    assert told in err.replace("\n", " ")
    assert not (tmp_path / "d").exists()


def test_sources_that_could_mean_two_things_are_refused(run, tmp_path):
    nifti(tmp_path / "in", "p1/dwi")
    (tmp_path / "in/p1/1.dcm").touch()
    code, _, err = run("ingest", tmp_path / "in", tmp_path / "d", "--cohort", "uterine")
    assert (code, "both scanner files" in err) == (2, True)
    dataset = tiny.cohorts(tmp_path / "data", train=1, test=0)
    code, _, err = run("ingest", dataset.root, tmp_path / "d", "--cohort", "uterine")
    assert (code, "a dataset of uteroseg already" in err) == (2, True)
    (tmp_path / "empty").mkdir()
    code, _, err = run("ingest", tmp_path / "empty", tmp_path / "d", "--cohort", "uterine", "--label", "x")
    assert (code, "for these --label means nothing" in err) == (2, True)
