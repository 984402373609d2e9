"""The benchmark that damages real files, in small; the large run is in `fuzz_ingest.json` beside it."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reliability" / "fuzz_ingest.py"


def test_damaged_files_are_refused_or_ingested_whole(real_data: Path) -> None:
    command = [sys.executable, SCRIPT, "--data", real_data, "--count", "50", "--seed", "2"]
    ran = subprocess.run(command, capture_output=True, text=True)
    result = json.loads(ran.stdout)
    assert result["failing"] == []
    assert ran.returncode == 0
    assert result["ingested"] + result["refused"] == 50
    assert min(result["ingested"], result["refused"]) > 5  # else it tests nothing
