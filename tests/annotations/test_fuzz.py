"""The benchmark that damages annotations, in small; the large run is in `fuzz_annotations.json` beside it."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reliability" / "fuzz_annotations.py"


def test_damaged_annotations_are_refused_or_give_the_mask_that_they_gave(real_data: Path) -> None:
    command = [sys.executable, SCRIPT, "--data", real_data, "--count", "100", "--seed", "2", "--jobs", "1"]
    ran = subprocess.run(command, capture_output=True, text=True)
    result = json.loads(ran.stdout)
    assert result["failing"] == []
    assert ran.returncode == 0
    assert result["refused"] + result["same"] + result["another_file"] == 100
    for outcomes in result["by_format"].values():  # else it tests nothing
        assert outcomes["refused"] > 5
        assert outcomes["same"] > 0
