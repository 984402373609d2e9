"""Predict the same study with nnU-Net and with ours, trained for as long on the same patients and CPU.

    python benchmarks/peers/nnunet_training.py --nnunet-python ENV/bin/python --minutes 6 -o OUT
    python benchmarks/peers/nnunet_prediction.py --nnunet-python ENV/bin/python OUT > nnunet_prediction.json

The first trains both for 6 minutes. ``cold_s`` is a command in a process of its own, ``warm_s`` a later
study of one process, medians of ``runs`` on the first validation patient; ``dsc`` is the mean of all
validation patients, from the masks that the commands wrote. nnU-Net (2-D, one fold) reads the three channels
that were exported for it and writes the mask; ours reads the DWI, computes the channels, and writes mask,
measurements and picture. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _common import COMMAND, machine, median_s, timed, versions
from nnunet_training import FOLDER, NUMBER, THREADS, nnunet_environment, nnunet_versions

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.metrics import dice
from uteroseg.imaging.nifti import read_mask
from uteroseg.inference.batch import predict_one
from uteroseg.inference.inputs import find_inputs
from uteroseg.model.ensemble import open_model
from uteroseg.model.prediction_folder import Outputs

SEQUENTIAL, NO_MIRRORING = ["-npp", "0", "-nps", "0"], ["--disable_tta"]
SETTINGS = {
    "as it comes": [],
    "no mirroring": NO_MIRRORING,
    "one process": SEQUENTIAL,
    "one process, no mirroring": [*SEQUENTIAL, *NO_MIRRORING],
}
MODEL = "nnUNetTrainer__nnUNetPlans__2d"
HERE = Path(__file__).resolve().parent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("training", type=Path, metavar="OUT", help="what nnunet_training.py wrote")
    options.add_argument("--nnunet-python", type=Path, required=True)
    options.add_argument("--runs", type=int, default=3)
    asked = options.parse_args()
    out, python = asked.training.resolve(), asked.nnunet_python.absolute()
    trained = json.loads((out / "result.json").read_text("utf-8"))
    (division,) = json.loads((out / "preprocessed" / FOLDER / "splits_final.json").read_text("utf-8"))
    dataset, names = Dataset.open(out / "dataset"), division["val"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        nnunet = measure_nnunet(out, root, python, dataset, names, asked.runs)
        ours = measure_ours(out, root, dataset, names, asked.runs)
    best = min(setting["cold_s"] for setting in nnunet["settings"].values())
    result = {
        "nnunet": nnunet,
        "ours": ours,
        "times_faster_cold": round(best / ours["cold_s"], 1),
        "times_faster_warm": round(min(nnunet["warm_s"].values()) / ours["warm_s"], 1),
        "training_minutes": {name: trained[name][-1]["minutes"] for name in ("nnunet", "ours")},
        "study": list(dataset.load_study(CaseId.parse(names[0])).geometry.shape),
        "validation_cases": len(names),
        "virtual_patients": True,
        "runs": asked.runs,
        "machine": machine() | {"threads": int(THREADS)},
        "versions": versions("uteroseg", "onnxruntime", "numpy") | nnunet_versions(python),
    }
    print(json.dumps(result, indent=2))


def measure_nnunet(
    out: Path, root: Path, python: Path, dataset: Dataset, names: list[str], runs: int
) -> dict[str, object]:
    images = out / "raw" / FOLDER / "imagesTr"
    one = [shutil.copy(path, _made(root / "one")) for path in sorted(images.glob(f"{names[0]}_*"))]
    for name in names:
        for path in images.glob(f"{name}_*"):
            shutil.copy(path, _made(root / "all"))
    environment = nnunet_environment(out)
    command = [python.with_name("nnUNetv2_predict" + python.suffix), "-d", NUMBER, "-c", "2d", "-f", "0"]

    def predict(source: Path, masks: Path, setting: list[str]) -> None:
        shutil.rmtree(masks, ignore_errors=True)
        whole = [*command, "-device", "cpu", "-i", source, "-o", masks, *setting]
        _run(whole, environment)

    def cold(setting: list[str]) -> float:
        return median_s(lambda: predict(root / "one", root / "masks", setting), runs)

    settings = {}
    for name, setting in SETTINGS.items():
        predict(root / "all", root / "all masks", setting)
        found = {case: root / "all masks" / f"{case}.nii.gz" for case in names}
        settings[name] = {"cold_s": round(cold(setting), 2), "dsc": mean_dsc(dataset, found)}
    model = out / "results" / FOLDER / MODEL
    warm = [python, HERE / "nnunet_warm.py", "--model", model, "--runs", runs, *one]
    warm_s = json.loads(_run(warm, environment).splitlines()[-1])
    return {"settings": settings, "warm_s": {name: round(seconds, 2) for name, seconds in warm_s.items()}}


def measure_ours(out: Path, root: Path, dataset: Dataset, names: list[str], runs: int) -> dict[str, object]:
    studies = {name: dataset.root / CaseId.parse(name).dwi("nii.gz") for name in names}

    def predict(study: Path, masks: Path) -> None:
        shutil.rmtree(masks, ignore_errors=True)
        _run([sys.executable, "-c", COMMAND, "predict", study, "-m", out / "model", "-o", masks], None)

    cold = median_s(lambda: predict(studies[names[0]], root / "ours"), runs)
    engine, times, found = open_model(out / "model"), [], {}
    for name, path in studies.items():
        (source,) = find_inputs(path)
        seconds, predicted = timed(
            lambda source=source: predict_one(source, engine, root / "warm", Outputs())
        )
        times.append(seconds)
        found[name] = root / "warm" / predicted.case / "mask.nii.gz"
    return {
        "cold_s": round(cold, 2),
        "warm_s": round(statistics.median(times[1:]), 3),
        "dsc": mean_dsc(dataset, found),
    }


def mean_dsc(dataset: Dataset, found: dict[str, Path]) -> float:
    """Mean DSC of the cases whose masks were written."""
    pairs = [(read_mask(path), dataset.load_mask(CaseId.parse(name))) for name, path in found.items()]
    return round(statistics.mean(dice(mask.data, truth.data) for mask, truth in pairs), 4)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _run(command: list[object], environment: dict[str, str] | None) -> str:
    """Run a program; what it prints besides its result goes to standard error if it fails."""
    done = subprocess.run(
        [str(part) for part in command], env=environment or os.environ, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
