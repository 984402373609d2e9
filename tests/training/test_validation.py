import json

import pytest
import torch

from tests import tiny
from uteroseg.dataset.store import Dataset
from uteroseg.inference.batch import predict_all
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.training.cases import MIN_PATIENTS, choose_cases, hold_out
from uteroseg.training.train import train
from uteroseg.training.validation import Validation


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


def test_the_dsc_in_the_record_is_that_of_the_model_that_was_written(calibrated):
    """Measured again, from the folder, on the cases that were held out."""
    from uteroseg.network.save import load_network

    folder, card = calibrated
    dataset = Dataset.open(folder / "data")
    chosen = choose_cases(dataset, "cervical", MIN_PATIENTS, seed=1)
    network, _ = load_network(folder / "m")
    again = Validation(dataset, hold_out(chosen, seed=1)[1], card.spec).mean_dsc(network)
    assert card.training.validation_dsc == pytest.approx(again, abs=1e-3)
    rows = (folder / "m" / "training" / "log.csv").read_text().splitlines()[1:]
    checks = [float(row.split(",")[3]) for row in rows if row.split(",")[3]]
    assert len(checks) == 10
    assert card.training.validation_dsc == max(checks)


def test_patients_count_alike_however_many_cases_they_have(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    often = [tiny.add(dataset, seed=seed, patient="often") for seed in (1, 2, 3)]
    once = tiny.add(dataset, seed=4, patient="once")
    spec = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
    network = _Bright()
    parts = [Validation(dataset, [case], spec).mean_dsc(network) for case in (*often, once)]
    assert len({round(part, 6) for part in parts}) > 1
    together = Validation(dataset, [*often, once], spec).mean_dsc(network)
    assert together == pytest.approx((sum(parts[:3]) / 3 + parts[3]) / 2)


class _Bright(torch.nn.Module):
    """Takes for tumour what is bright at b 1000."""

    def __init__(self):
        super().__init__()
        self.threshold = torch.nn.Parameter(torch.tensor(1.8))

    def forward(self, images):
        return 10 * (images[:, 1:2] - self.threshold)
