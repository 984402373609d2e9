import json

import pytest

from tests import tiny
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.inference.batch import predict_all
from uteroseg.model.spec import ModelSpec
from uteroseg.training.fit import Recipe
from uteroseg.training.train import train
from uteroseg.training.validation import MIN_PATIENTS, hold_out


def cases(patients, acquisitions=1):
    names = (
        f"sub-{p:03d}" + (f"_acq-{a}" if a else "") for p in range(patients) for a in range(acquisitions)
    )
    return [CaseId.parse(name) for name in names]


def test_a_fifth_of_the_patients_is_held_out_with_all_their_cases():
    train_on, validate_on = hold_out(cases(30, acquisitions=2), seed=1)
    assert len(validate_on) == 12
    assert not {c.participant for c in train_on} & {c.participant for c in validate_on}
    assert sorted(map(str, train_on + validate_on)) == sorted(map(str, cases(30, acquisitions=2)))
    assert hold_out(cases(30), seed=2)[1] != hold_out(cases(30), seed=1)[1]


def test_few_patients_are_all_trained_on():
    few = cases(MIN_PATIENTS - 1)
    assert hold_out(few, seed=1) == (few, [])
    assert len(hold_out(cases(MIN_PATIENTS), seed=1)[1]) == 5


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A model that was trained on so many tiny patients that some could be held out."""
    folder = tmp_path_factory.mktemp("calibrated")
    dataset = Dataset.open_or_create(folder / "data")
    for seed in range(MIN_PATIENTS):
        tiny.add(dataset, seed=seed, split="train")
    recipe = Recipe(steps=30, batch_size=8)
    card = train(
        dataset, ["cervical"], folder / "m", spec=ModelSpec(spacing_mm=4.0, matrix=(48, 48)), recipe=recipe
    )
    return folder, card


def test_the_calibration_of_the_expected_dsc_is_part_of_the_model(calibrated):
    _, card = calibrated
    assert card.training.cases == {"cervical": MIN_PATIENTS}
    assert card.training.validation_cases == 5
    assert card.training.expected_dsc.cases == 5


def test_predictions_say_which_dsc_to_expect(calibrated):
    folder, card = calibrated
    findings, _ = predict_all(folder / "data", folder / "m", folder / "out")
    first = findings[0]
    result = json.loads((folder / "out" / first.case / "result.json").read_text())
    line = card.training.expected_dsc
    assert result["expected_dsc"] == pytest.approx(line.expected_dsc(result["soft_dice"]), abs=2e-4)
    assert (folder / "out" / "predictions.csv").read_text().splitlines()[1].split(",")[4] != ""


def test_a_model_without_validation_cases_says_that_it_knows_no_expected_dsc(
    tiny_cohorts, tiny_model, tmp_path
):
    findings, card = predict_all(tiny_cohorts.root, tiny_model, tmp_path / "out")
    assert card.training.expected_dsc is None
    assert findings[0].expected_dsc is None
    result = json.loads((tmp_path / "out" / findings[0].case / "result.json").read_text())
    assert result["expected_dsc"] is None
    assert 0 <= result["soft_dice"] <= 1
