"""What any folder of ours is."""

import json
from dataclasses import replace

import pytest

from tests import tiny
from tests.experiment.report.experiments import write_experiment
from tests.model.test_spec import VERSION_1
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.inference.folders import what_is
from uteroseg.model.folder import CARD, ONNX, WEIGHTS
from uteroseg.model.nnunet import export_nnunet


def test_a_dataset_tells_its_cohorts_splits_and_annotations(tiny_cohorts):
    found = what_is(tiny_cohorts.root)
    assert found.kind == "dataset"
    assert "10 cases of 10 virtual patients" in found.summary
    assert found.details["cohorts"]["uterine"] == {
        "patients": 5,
        "cases": 5,
        "annotated": 5,
        "split train": 3,
        "split test": 2,
    }
    assert found.details["b_values"] == {"0, 1000": 10}


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (("virtual", "virtual"), "2 cases of 2 virtual patients"),
        (("dicom", "virtual"), "2 cases of 2 patients, 1 of them virtual"),
        (("dicom", "nifti"), "2 cases of 2 patients"),
    ],
)
def test_a_dataset_tells_how_many_patients_are_virtual_however_they_came(tmp_path, sources, said):
    dataset = Dataset.open_or_create(tmp_path / "d")
    for seed, source in enumerate(sources):
        case = tiny.add(dataset, seed=seed)
        person = dataset.participants[case.participant]
        dataset.participants[case.participant] = replace(person, source=source, source_key=f"{seed:032x}")
    dataset.save_participants()
    found = what_is(dataset.root)
    assert found.summary.endswith(said)
    assert found.details["virtual_patients"] == sources.count("virtual")
    assert found.details["with_t2"] == 0


def test_predictions_tell_the_model_and_what_failed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.json").write_text('{"model": {"id": "m1"}}')
    (tmp_path / "predictions.csv").write_text("case,warnings,error\na,,\nb,,no signal\n")
    found = what_is(tmp_path)
    assert (found.kind, found.details["failed"], found.details["model"]) == (
        "predictions",
        ["b"],
        {"id": "m1"},
    )


def test_an_evaluation_tells_its_patients(tmp_path):
    (tmp_path / "cases.csv").write_text("case,dsc\na,0.5\n")
    (tmp_path / "summary.json").write_text(json.dumps({"groups": {"pooled": {"patients": 1}}}))
    found = what_is(tmp_path)
    assert (found.kind, found.details["patients"]) == ("evaluation", {"pooled": 1})


def test_an_export_for_nnunet_is_known(tmp_path):
    folder = export_nnunet(tiny.cohorts(tmp_path / "d", train=1, test=1), tmp_path / "raw").folder
    found = what_is(folder)
    assert found.kind == "nnunet"
    assert "exported by uteroseg" in found.summary


def test_a_training_that_was_stopped_names_its_model(tmp_path):
    folder = tmp_path / "model.training"
    folder.mkdir()
    (folder / "checkpoint.pt").touch()
    assert "makes model goes on" in what_is(folder).summary


def test_other_folders_are_refused_with_the_kinds_there_are(tmp_path):
    with pytest.raises(UserError, match="no folder of uteroseg"):
        what_is(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        what_is(tmp_path / "gone")


def test_an_experiment_tells_its_runs(tmp_path):
    write_experiment(tmp_path / "e", sizes=(0, 5))
    (tmp_path / "e" / "experiment.yaml").touch()
    found = what_is(tmp_path / "e")
    assert (found.kind, found.details["finished_runs"]) == ("experiment", 2)
    assert (found.details["target_cases"], found.details["virtual_patients"]) == ([0, 5], True)
    assert "no report yet" in found.summary


def test_a_model_tells_what_it_was_trained_on(tmp_path):
    for name in (WEIGHTS, ONNX):
        (tmp_path / name).touch()
    (tmp_path / CARD).write_text(VERSION_1, "utf-8")
    found = what_is(tmp_path)
    assert found.kind == "model"
    assert "strategy encoder-early, trained on 115 cervical, 13 uterine cases" in found.summary
    assert (found.details["id"], found.details["matrix"]) == ("0123456789ab", [96, 96])


def test_a_broken_model_is_said_to_be_one(tmp_path):
    (tmp_path / CARD).write_text(VERSION_1, "utf-8")
    with pytest.raises(UserError, match="not a whole model"):
        what_is(tmp_path)
