"""The virtual cohorts differ as the real ones do: what is learnt on one is not enough for the other."""

import numpy as np
import pytest

from uteroseg.dataset.split import assign_splits
from uteroseg.dataset.store import Dataset
from uteroseg.experiment.evaluate import evaluate_run
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.cohort import simulate_cohort
from uteroseg.training.train import train

COARSE = Acquisition(name="coarse", matrix=(80, 80), spacing_mm=3.2, slices=18, slice_mm=6)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_of_the_cervical_cohort_does_clearly_worse_on_the_uterine(tmp_path):
    root = tmp_path / "data"
    simulate_cohort(root, "cervical", cases=27, seed=5, acquisition=COARSE)
    simulate_cohort(root, "uterine", cases=8, seed=5, acquisition=COARSE)
    dataset = Dataset.open(root)
    for participant in dataset.participants.values():
        assert participant.source == "virtual"
    assign_splits(dataset, test=0.33, seed=5)
    spec = ModelSpec(spacing_mm=3.2, matrix=(64, 64))
    train(dataset, ["cervical"], tmp_path / "run" / "model", spec=spec, recipe=Recipe(steps=70), seed=5)
    cervical = dataset.cases("cervical", "test")
    rows = evaluate_run(dataset, [*cervical, *dataset.cases("uterine")], tmp_path / "run")
    dsc = {
        cohort: np.array([row["dsc"] for row in rows if row["cohort"] == cohort])
        for cohort in ("cervical", "uterine")
    }
    means = {cohort: float(values.mean()) for cohort, values in dsc.items()}
    print(f"mean DSC of a cervical model: cervical {means['cervical']:.2f}, uterine {means['uterine']:.2f}")
    assert means["cervical"] > 0.5
    assert means["uterine"] < means["cervical"] - 0.2
