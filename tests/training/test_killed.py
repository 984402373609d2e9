"""A training that is killed at any moment goes on, and ends bit for bit as if it had not been."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = """
import sys
from pathlib import Path
from uteroseg.dataset.store import Dataset
from uteroseg.model.spec import ModelSpec
from uteroseg.training import fit
from uteroseg.training.recipe import Recipe
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


def begin(root, folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", SCRIPT, str(root), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def run_and_kill(root, folder, wait_for, delay):
    """Run until a line is printed and a moment longer, then kill; whether it was finished before that."""
    process = begin(root, folder)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(wait_for):
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    return any(line.startswith("finished") for line in lines)


@pytest.mark.slow
def test_killed_three_times_it_ends_as_if_it_had_not_been(tiny_cohorts, tmp_path):
    whole = begin(tiny_cohorts.root, tmp_path / "whole")
    assert "finished" in whole.communicate(timeout=200)[0]
    dice = random.Random(1)
    for kill in range(KILLS):
        wait_for = f"training steps {dice.randint(4 * kill + 2, 4 * kill + 4)}"
        assert not run_and_kill(tiny_cohorts.root, tmp_path / "killed", wait_for, dice.uniform(0, 0.2))
        assert not (tmp_path / "killed").exists()
    assert (tmp_path / "killed.training" / "checkpoint.pt").is_file()
    last = begin(tiny_cohorts.root, tmp_path / "killed")
    out = last.communicate(timeout=200)[0]
    assert "finished" in out
    assert "training steps 1\n" not in out  # it went on
    first, second = (load_file(tmp_path / f / "weights.safetensors") for f in ("whole", "killed"))
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not (tmp_path / "killed.training").exists()
