"""How much disk the base install takes: a new environment with uteroseg and no extras.

    python benchmarks/install_size.py > install_size.json

Installs this checkout with the versions of ``constraints.txt`` into an environment in a temporary folder,
measures what came with it, and runs ``uteroseg --help`` there. Python, pip and what pip brings are not
counted. Sizes are of blocks on disk, MB of 10⁶ bytes; on Windows, which does not tell blocks, of files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from _common import REPOSITORY, machine, versions

WANTED_MB = 550.0
_LARGEST = 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--extra", default="", help="measure an extra too, such as analysis")
    chosen = parser.parse_args()
    package = f"{REPOSITORY}[{chosen.extra}]" if chosen.extra else str(REPOSITORY)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        venv.create(root, with_pip=True)
        programs = root / ("Scripts" if os.name == "nt" else "bin")
        before = _disk_mb(root)
        constraints = str(REPOSITORY / "constraints.txt")
        _run(programs / "python", "-m", "pip", "install", "--quiet", "-c", constraints, package)
        installed = _disk_mb(root) - before
        _run(programs / "uteroseg", "--help")
        site = next(path for path in root.rglob("site-packages") if path.is_dir())
        parts = sorted(((_disk_mb(path), path.name) for path in site.iterdir()), reverse=True)
    result = {
        "installed_mb": round(installed, 1),
        "wanted_mb": WANTED_MB,
        "largest_mb": {name: round(size, 1) for size, name in parts[:_LARGEST]},
        "extra": chosen.extra or None,
        "machine": machine(),
        "versions": versions("pip"),
    }
    print(json.dumps(result, indent=2))
    return int(installed > WANTED_MB)


def _run(*command: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, check=True, stdout=sys.stderr, cwd=tempfile.gettempdir(), env=environment)


def _disk_mb(path: Path) -> float:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(_bytes(file) for file in files if not file.is_symlink()) / 1e6


def _bytes(path: Path) -> int:
    stat = path.stat()
    return stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size


if __name__ == "__main__":
    sys.exit(main())
