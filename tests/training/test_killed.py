"""A training that is killed at any moment goes on, and ends bit for bit as if it had not been."""

import random

import pytest
import torch
from safetensors.torch import load_file

from tests.child import begin, kill_at

SCRIPT = """
import sys
from pathlib import Path
from uteroseg.dataset.store import Dataset
from uteroseg.model.spec import ModelSpec
from uteroseg.training import fit
from uteroseg.model.recipe import Recipe
from uteroseg.training.train import train

fit.SECONDS_BETWEEN_CHECKPOINTS = 0.0
train(
    Dataset.open(Path(sys.argv[1])),
    ["cervical"],
    Path(sys.argv[2]),
    spec=ModelSpec(spacing_mm=4.0, matrix=(48, 48)),
    recipe=Recipe(steps=14, batch_size=4),
    on_progress=lambda what, done, total, note: print(what, done, flush=True),
)
print("finished", flush=True)
"""
KILLS = 3


@pytest.mark.slow
def test_killed_three_times_it_ends_as_if_it_had_not_been(tiny_cohorts, tmp_path):
    whole = begin(SCRIPT, tiny_cohorts.root, tmp_path / "whole")
    assert "finished" in whole.communicate(timeout=200)[0]
    dice = random.Random(1)
    for kill in range(KILLS):
        line = f"training steps {dice.randint(4 * kill + 2, 4 * kill + 4)}"
        process = begin(SCRIPT, tiny_cohorts.root, tmp_path / "killed")
        kill_at(process, line, dice.uniform(0, 0.2))
        assert not (tmp_path / "killed").exists()
    assert (tmp_path / "killed.training" / "checkpoint.pt").is_file()
    last = begin(SCRIPT, tiny_cohorts.root, tmp_path / "killed")
    out = last.communicate(timeout=200)[0]
    assert "finished" in out
    assert "training steps 1\n" not in out  # it went on
    first, second = (load_file(tmp_path / f / "weights.safetensors") for f in ("whole", "killed"))
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not (tmp_path / "killed.training").exists()
