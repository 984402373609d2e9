"""A batch of predictions that is killed at any moment goes on, and ends as if it had not been."""

import random

import pytest

from tests import tiny
from tests.child import begin, kill_at
from uteroseg.dataset.store import Dataset
from uteroseg.inference.batch import SETTINGS, TABLE

SCRIPT = """
import sys
from pathlib import Path
from uteroseg.inference.batch import predict_all

predict_all(
    Path(sys.argv[1]),
    Path(sys.argv[2]),
    Path(sys.argv[3]),
    on_study=lambda predicted, done, total: print(done, predicted.error, flush=True),
)
"""
STUDIES, KILLS = 12, 3
WHOLE = {"mask.nii.gz", "result.json", "overlay.png"}


@pytest.fixture
def many(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "data")
    for seed in range(STUDIES):
        tiny.add(dataset, seed=seed + 1, with_mask=False)
    return dataset.root


def contents(folder, names):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.name in names}


@pytest.mark.slow
def test_killed_three_times_it_ends_as_if_it_had_not_been(many, tiny_model, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    printed, _ = begin(SCRIPT, many, tiny_model, whole).communicate(timeout=200)
    assert printed.splitlines() == [f"{number} " for number in range(1, STUDIES + 1)]
    dice = random.Random(1)
    finished = {}
    for kill in range(KILLS):
        process = begin(SCRIPT, many, tiny_model, killed)
        kill_at(process, f"{3 * kill + dice.randint(1, 3)} ", dice.uniform(0, 0.2))
        visible = [path for path in killed.iterdir() if not path.name.startswith(".")]
        for folder in (path for path in visible if path.is_dir()):
            assert {path.name for path in folder.iterdir()} == WHOLE  # whole or not there
        stamps = {path: path.stat().st_mtime_ns for path in killed.glob("sub-*/mask.nii.gz")}
        assert finished.items() <= stamps.items()  # nothing is predicted twice
        finished = stamps
    assert len(finished) >= 2 * KILLS
    printed, _ = begin(SCRIPT, many, tiny_model, killed).communicate(timeout=200)
    assert printed.splitlines() == [f"{number} " for number in range(1, STUDIES + 1)]
    assert {path.name for path in killed.iterdir()} == {path.name for path in whole.iterdir()}
    assert not list(killed.glob(".*"))
    # settings.json names what was asked for, and so is the same, as is all the rest
    everything = WHOLE | {SETTINGS, TABLE}
    assert contents(killed, everything) == contents(whole, everything)
