"""Does a model find the same as a MONAI bundle, in an environment without uteroseg?

    python -m venv monai-env
    monai-env/bin/pip install "monai==1.6.1" pytorch-ignite scikit-image nibabel fire

    python benchmarks/peers/monai_bundle.py MODEL DATASET --monai-python monai-env/bin/python

Exports MODEL, runs ``python -m monai.bundle run`` on studies of DATASET with the other Python, and prints the
DSC between its masks and those of ``uteroseg predict``, and what each finds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _common import machine, timed, versions

from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.metrics import dice
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.nifti import read_mask
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.prediction import predict_study
from uteroseg.network.monai_bundle import export_monai


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--monai-python", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=5)
    chosen = parser.parse_args()
    dataset, engine = Dataset.open(chosen.dataset), OnnxEngine(chosen.model)
    test = [case for case in dataset.cases() if dataset.participant(case).split == "test"][: chosen.cases]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "input").mkdir()
        for case in test:
            for suffix in ("nii.gz", "bval"):
                shutil.copy(dataset.root / case.dwi(suffix), root / "input")
        export_monai(chosen.model, root / "bundle")
        seconds, _ = timed(lambda: _run_bundle(chosen.monai_python.absolute(), root))
        cases = {}
        for case in test:
            theirs = read_mask(root / "output" / f"{case}_dwi_mask.nii.gz")
            ours = predict_study(dataset.load_study(case), engine).mask
            theirs.geometry.require_same(
                ours.geometry, what=str(case), fix="look at the bundle's transforms."
            )
            cases[str(case)] = {
                "dsc": round(dice(theirs.data, ours.data), 4),
                "monai_ml": round(volume_ml(theirs), 2),
                "uteroseg_ml": round(volume_ml(ours), 2),
            }
    result = {
        "cases": cases,
        "lowest_dsc": min(case["dsc"] for case in cases.values()),
        "bundle_s": round(seconds, 1),
        "model": engine.card.describe(),
        "machine": machine(),
        "versions": versions("uteroseg", "torch"),
    }
    print(json.dumps(result, indent=2))


def _run_bundle(python: Path, root: Path) -> None:
    command = [python, "-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    command += ["--dataset_dir", root / "input", "--output_dir", root / "output"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, check=True, cwd=root / "bundle", env=environment, stdout=sys.stderr)


if __name__ == "__main__":
    main()
