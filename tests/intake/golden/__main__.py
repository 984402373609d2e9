"""Make the record anew, with whatever uteroseg is imported."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.intake.golden.record import FILE, record_of
from tests.intake.golden.sources import write_sources

KEY = "19" * 32

with tempfile.TemporaryDirectory() as folder:
    dataset = Path(folder) / "dataset"
    Path(folder, "dataset.key").write_text(KEY + "\n")
    for arguments in write_sources(Path(folder) / "sources"):
        command = ["uteroseg", "ingest", arguments[0], dataset, "--cohort", "uterine", *arguments[1:]]
        subprocess.run([sys.executable, "-m", *map(str, command)], check=True)
    FILE.write_text(json.dumps({"key": KEY, "files": record_of(dataset)}, indent=1) + "\n")
