"""Seconds that nnU-Net takes for another study once it runs. Runs in nnU-Net's environment, not in ours.

Its own predictor, without other processes (what `-npp 0 -nps 0` does), on the files of one study, several
times; the first is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", required=True, help="folder with fold_0")
    options.add_argument("--runs", type=int, required=True)
    options.add_argument("channels", nargs="+", help="the study's files")
    asked = options.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    print(json.dumps({name: seconds(asked, mirroring) for name, mirroring in SETTINGS.items()}))


SETTINGS = {"mirroring": True, "no mirroring": False}


def seconds(asked: argparse.Namespace, mirroring: bool) -> float:
    predictor = nnUNetPredictor(use_mirroring=mirroring, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(asked.model, (0,), "checkpoint_final.pth")
    times = []
    for _ in range(asked.runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            start = perf_counter()
            predictor.predict_from_files_sequential([asked.channels], [str(Path(folder) / "mask")])
            times.append(perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
