"""Time the measures of a case against MONAI's, and the memory that 100 cases take.

    python benchmarks/evaluation.py --monai-python /tmp/monai-env/bin/python

MONAI lives in an environment of its own (python -m venv ENV; ENV/bin/pip install monai torch). Prints one
JSON object: `ratio_to_monai` is the time of MONAI's DSC, HD95 and surface DSC divided by ours for the same
three; `ratio_to_monai_all_measures` divides by the time of everything that `measure_case` measures. Both
measure the same masks with two threads, in turns; the figures are the medians of `runs`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from _common import machine, timed, versions

THREADS = "2"
os.environ |= {"OMP_NUM_THREADS": THREADS, "MKL_NUM_THREADS": THREADS, "OPENBLAS_NUM_THREADS": THREADS}

import numpy as np  # noqa: E402

SHAPE = (30, 256, 256)
SPACING = (5.0, 1.0, 1.0)
TOLERANCE_MM = 2.0
CASES = 10
MEMORY_CASES = 100


def case(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth: a bumpy ellipsoid of 10 to 400 mL, seen twice; each fourth time with strays."""
    random = np.random.default_rng(number)
    radii = random.uniform(14, 45) * random.uniform(0.8, 1.2, 3)
    middle = np.array(SHAPE) / 2 * SPACING + random.uniform(-15, 15, 3)
    z, y, x = (s * np.arange(n, dtype=np.float32) for s, n in zip(SPACING, SHAPE, strict=True))
    masks = []
    for _ in range(2):
        centre, radius = middle + random.normal(0, 1.5, 3), radii * random.normal(1, 0.04, 3)
        waves, phase = random.uniform(0.05, 0.2, 3), random.uniform(0, 6, 3)
        bumps = [0.2 * np.sin(w * a + p) for w, a, p in zip(waves, (z, y, x), phase, strict=True)]
        parts = [((a - c) / r) ** 2 for a, c, r in zip((z, y, x), centre, radius, strict=True)]
        first, second, third = (part + bump for part, bump in zip(parts, bumps, strict=True))
        masks.append(first[:, None, None] + second[:, None] + third < 1)
    if number % 4 == 0:
        for _ in range(3):
            i, j, k = (int(random.integers(n - 4)) for n in SHAPE)
            masks[0][i : i + 2, j : j + 4, k : k + 4] = True
    return masks[0], masks[1]


def per_case(measure: Callable[[int], object]) -> float:
    """Seconds per case of a round over all cases, after one case that does not count."""
    measure(0)
    return timed(lambda: [measure(number) for number in range(CASES)])[0] / CASES


def time_uteroseg(folder: Path) -> dict[str, object]:
    from uteroseg.evaluation.metrics import dice, measure_case
    from uteroseg.evaluation.surface import SurfaceDistances
    from uteroseg.imaging.geometry import Geometry
    from uteroseg.imaging.measure import bounding_box
    from uteroseg.imaging.study import Mask

    geometry = Geometry(SHAPE, np.diag([*SPACING, 1.0]))
    pairs = [np.load(folder / f"{n}.npy") for n in range(CASES)]
    masks = [(Mask(prediction, geometry), Mask(truth, geometry)) for prediction, truth in pairs]

    def three(number: int) -> tuple[float, float, float]:
        prediction, truth = pairs[number]
        box = bounding_box(prediction | truth)
        surfaces = SurfaceDistances.between(prediction[box], truth[box], SPACING)
        return dice(prediction[box], truth[box]), surfaces.hd95_mm, surfaces.nsd(TOLERANCE_MM)

    return {
        "all_s": per_case(lambda number: measure_case(*masks[number], tolerance_mm=TOLERANCE_MM)),
        "three_s": per_case(three),
        "values": [three(number) for number in range(CASES)],
    }


def time_monai(folder: Path) -> dict[str, object]:
    import warnings

    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

    warnings.simplefilter("ignore")
    torch.set_num_threads(int(THREADS))
    pairs = [torch.from_numpy(np.load(folder / f"{n}.npy"))[:, None, None] for n in range(CASES)]

    def three(number: int, *, subvoxels: bool = False) -> tuple[float, float, float]:
        prediction, truth = pairs[number]
        about = {"include_background": True, "spacing": SPACING}
        return (
            float(compute_dice(prediction.float(), truth.float())),
            float(compute_hausdorff_distance(prediction, truth, percentile=95, **about)),
            float(compute_surface_dice(prediction, truth, [TOLERANCE_MM], use_subvoxels=subvoxels, **about)),
        )

    return {
        "three_s": per_case(three),
        "values": [three(number, subvoxels=True) for number in range(CASES)],
        "versions": versions("monai", "torch"),
    }


def measure_memory() -> dict[str, object]:
    """Measure 100 cases, ADC included; they are made as they come, outside the clock."""
    import resource

    from uteroseg.evaluation.metrics import measure_case
    from uteroseg.imaging.geometry import Geometry
    from uteroseg.imaging.study import Mask

    geometry = Geometry(SHAPE, np.diag([*SPACING, 1.0]))
    adc = np.random.default_rng(0).normal(1, 0.3, SHAPE).astype(np.float32)
    seconds = 0.0
    for number in range(MEMORY_CASES):
        prediction, truth = (Mask(mask, geometry) for mask in case(number))
        seconds += timed(lambda p=prediction, t=truth: measure_case(p, t, adc=adc))[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cases": MEMORY_CASES, "total_s": round(seconds, 2), "peak_mb": round(peak)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--monai-python", required=True, help="Python of an environment with MONAI and torch"
    )
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--part", choices=["uteroseg", "monai", "memory"], help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.part:
        parts = {
            "uteroseg": lambda: time_uteroseg(asked.folder),
            "monai": lambda: time_monai(asked.folder),
            "memory": measure_memory,
        }
        print(json.dumps(parts[asked.part]()))
        return

    with tempfile.TemporaryDirectory() as folder:
        for number in range(CASES):
            np.save(Path(folder) / f"{number}.npy", np.stack(case(number)))

        def run(python: str, part: str) -> dict:
            command = [python, __file__, "--monai-python", "-", "--part", part, "--folder", folder]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            return json.loads(output.splitlines()[-1])

        rounds = [
            (run(sys.executable, "uteroseg"), run(asked.monai_python, "monai")) for _ in range(asked.runs)
        ]
        memory = run(sys.executable, "memory")
    ours, monai = rounds[0]
    all_s, three_s = (median(round_[0][name] for round_ in rounds) for name in ("all_s", "three_s"))
    monai_s = median(round_[1]["three_s"] for round_ in rounds)
    # MONAI's surface DSC with sub-voxels is defined as ours; its HD95 counts voxels, not area.
    difference = np.abs(np.array(ours["values"]) - np.array(monai["values"])).max(axis=0)
    print(
        json.dumps(
            {
                "ratio_to_monai": round(monai_s / three_s, 1),
                "ratio_to_monai_all_measures": round(monai_s / all_s, 1),
                "all_measures_ms": round(1e3 * all_s, 1),
                "three_measures_ms": round(1e3 * three_s, 1),
                "monai_three_measures_ms": round(1e3 * monai_s, 1),
                "largest_difference": dict(
                    zip(("dsc", "hd95_mm", "nsd"), difference.round(5).tolist(), strict=True)
                ),
                "memory": memory,
                "cases": CASES,
                "shape": SHAPE,
                "spacing_mm": SPACING,
                "runs": asked.runs,
                "machine": machine() | {"threads": int(THREADS)},
                "versions": versions("uteroseg", "numpy", "scipy") | monai["versions"],
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
