"""An experiment that is killed at any moment goes on, and ends with the table of one that was not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.experiment.small import config
from uteroseg.experiment.config import save_config
from uteroseg.experiment.results import read_experiment

SCRIPT = """
import sys
from pathlib import Path
from uteroseg.experiment.config import load_config
from uteroseg.experiment.runner import run_experiment
outcome = run_experiment(load_config(sys.argv[1]), Path(sys.argv[2]), workers=1)
sys.exit(len(outcome.failures))
"""
KILLS = 3


@pytest.mark.slow
def test_killed_three_times_the_table_is_the_same(finished, tiny_cohorts, tmp_path):
    save_config(config(tiny_cohorts.root), tmp_path / "e.yaml")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "e.yaml"), str(tmp_path / "x")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    dice, killed = random.Random(2), 0
    for kill in range(KILLS):
        process = subprocess.Popen(command, env=environment)
        while process.poll() is None and len(list(tmp_path.glob("x/runs/*"))) <= kill:
            time.sleep(0.05)
        time.sleep(dice.uniform(0, 1.5))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert killed == KILLS
    assert subprocess.run(command, env=environment, check=False, timeout=120).returncode == 0
    before, after = (read_experiment(folder).cases for folder in (finished[1], tmp_path / "x"))
    assert after.equals(before)
