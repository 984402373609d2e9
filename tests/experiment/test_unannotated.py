"""Target cases without a mask in an experiment: they teach, and no mask is read that is not labelled."""

import shutil

import pytest

from tests import tiny
from tests.experiment.small import config
from uteroseg.errors import UserError
from uteroseg.experiment.cohorts import check_cohorts, open_cohorts
from uteroseg.experiment.plan import make_plan
from uteroseg.experiment.records import RUN_FILE, read_run
from uteroseg.experiment.report.page import write_report
from uteroseg.experiment.runner import run_experiment
from uteroseg.experiment.tasks import Task
from uteroseg.experiment.worker import Performer
from uteroseg.model.folder import WEIGHTS, read_card
from uteroseg.model.strategy import STRATEGIES
from uteroseg.training.cases import choose_cases


def settings(root, **changes):
    return config(root, strategies=(STRATEGIES["default"],), keep_models=True, **changes)


def make_runs(chosen, folder):
    """Every run of an experiment, in this process."""
    cohorts = open_cohorts(chosen, folder)
    prints = check_cohorts(chosen, cohorts)
    plan = make_plan(chosen, patients=cohorts["target"].patients, fingerprints=prints)
    performer = Performer(chosen, folder, lambda *progress: None)
    for planned in plan:
        performer.perform(Task(planned=planned))
    return plan


def test_with_the_masks_of_all_others_deleted_a_run_is_the_same_bit_for_bit(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=6)
    chosen = settings(dataset.root, sizes=(0, 1, 2))
    first = make_runs(chosen, tmp_path / "with")
    shutil.rmtree(tmp_path / "d.cache")
    labelled = set(choose_cases(dataset, "uterine", 2, seed=1))
    for case in set(dataset.cases("uterine", "train")) - labelled:
        (dataset.root / case.annotation("nii.gz")).unlink()
    second = make_runs(chosen, tmp_path / "without")
    for one, other in zip(first, second, strict=True):
        models = [
            run.folder(folder) / "model"
            for run, folder in ((one, tmp_path / "with"), (other, tmp_path / "without"))
        ]
        assert (models[0] / WEIGHTS).read_bytes() == (models[1] / WEIGHTS).read_bytes()
        cards = [read_card(model).training.model_copy(update={"seconds": 0}) for model in models]
        assert cards[0] == cards[1]
        assert cards[0].unannotated_cases == (0 if one.is_source else 6 - one.target_cases)
        record = read_run(one.folder(tmp_path / "with") / RUN_FILE)
        assert record.unannotated_cases == cards[0].unannotated_cases


def test_an_experiment_takes_the_annotated_and_says_how_many_they_are(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=5)
    before = check_cohorts(settings(dataset.root), open_cohorts(settings(dataset.root), tmp_path))
    bare = [
        tiny.add(dataset, "uterine", seed=seed, split=split, with_mask=False)
        for seed, split in ((200, "train"), (201, "test"))
    ]
    cohorts = open_cohorts(settings(dataset.root), tmp_path)
    assert cohorts["target"].patients == 5
    assert cohorts["target"].unannotated == bare[:1]
    after = check_cohorts(settings(dataset.root), cohorts)
    assert (after["source"] == before["source"], after["target"] == before["target"]) == (True, False)
    told = []
    run_experiment(settings(dataset.root, sizes=("100%",)), tmp_path / "e", workers=1, on_run=told.append)
    assert told[:2] == [
        "5 of 6 uterine train cases are annotated.",
        "2 of 3 uterine test cases are annotated.",
    ]
    assert len(told) == 4
    assert "default trained on the other cases’ images too, without their masks" in (
        write_report(tmp_path / "e").read_text("utf-8")
    )


def test_a_test_patient_who_would_teach_is_refused(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d")
    tested = dataset.cases("uterine", "test")[0]
    tiny.add(dataset, "uterine", seed=200, split="train", with_mask=False)
    key = dataset.participant(tested).source_key
    text = (dataset.root / "participants.tsv").read_text("utf-8")
    (dataset.root / "participants.tsv").write_text(text.replace("uterine-200", key), "utf-8")
    chosen = settings(dataset.root)
    with pytest.raises(UserError, match="A patient is both trained and tested on"):
        check_cohorts(chosen, open_cohorts(chosen, tmp_path))


def test_a_cohort_without_any_mask_is_refused(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d")
    for case in dataset.cases("uterine", "train"):
        (dataset.root / case.annotation("nii.gz")).unlink()
    with pytest.raises(UserError, match="0 of 3 uterine train cases are annotated"):
        open_cohorts(settings(dataset.root), tmp_path)
