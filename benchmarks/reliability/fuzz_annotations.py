"""Damage annotations of every format: each is refused, or gives the mask that it gave before.

    python benchmarks/reliability/fuzz_annotations.py --count 1000 --seed 1 > fuzz_annotations.json

Every trial damages one annotation (SEG, RTSTRUCT, NRRD, MetaImage, NIfTI; written by us, by SimpleITK, as 3D
Slicer does, and real ones), reads it, and ingests it with its study. What may come of it:

``refused``
    A UserError.
``same``
    The mask of the undamaged file, voxel for voxel on the same grid.
``another_file``
    Another mask, where the damage hit what the header says (a digit of a position, a key, an optional
    element) and left a file as legal as the one before: another reader (SimpleITK, nibabel, for a SEG pydicom
    alone) sees the same voxels at the same places as we do. Nobody can know that it was meant otherwise. For
    contours, whose points are text without a checksum, there is no such reader: any change of a value counts
    here.

Everything else fails: another exception, a hang, gigabytes of memory, a dataset that is not whole, a mask in
the dataset that reading refused, and ``silent``: a mask that differs where no other reader agrees, or after
damage of which no reader may make a mask (truncation, lengths, bytes behind the voxels, a wrong checksum).

Bits of uncompressed voxels are left alone: no format keeps a checksum of them, so that no reader can notice.

Every trial stands alone: ``--only 17`` repeats number 17. Trials run in a process that is killed when one
hangs. Ends with 1 if a trial failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from _annotations import MUST_BE_NOTICED, Sample, as_others_read, damage, samples, study
from _common import default_data, machine, versions
from _trials import peak_mb, run_trials, serve
from fuzz_ingest import not_whole

from uteroseg.errors import UserError
from uteroseg.imaging.study import Mask

GOOD = ("refused", "same", "another file")
MEMORY_MB = 2000
SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="run this one trial and print its traceback")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return serve(lambda number: trial(chosen.data, chosen.seed, number))
    if chosen.only is not None:
        print(json.dumps(trial(chosen.data, chosen.seed, chosen.only), indent=2))
        return 0
    begin = perf_counter()
    outcomes = run_trials(__file__, chosen.data, chosen.seed, count=chosen.count, jobs=chosen.jobs, good=GOOD)
    counts = Counter(outcome["outcome"] for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome["outcome"] not in GOOD]
    result = {
        "trials": len(outcomes),
        "refused": counts["refused"],
        "same": counts["same"],
        "another_file": counts["another file"],
        "silent": counts["silent"],
        "tracebacks": counts["traceback"],
        "hangs": counts["hang"],
        "half_written": counts["half written"],
        "memory": counts["memory"],
        "seed": chosen.seed,
        "by_format": _by_format(outcomes),
        "by_damage": dict(sorted(Counter(kind for o in outcomes for kind in o["damage"]).items())),
        "slowest_s": max((outcome["seconds"] for outcome in outcomes), default=0),
        "versions": versions("uteroseg", "pydicom", "highdicom", "nibabel", "SimpleITK", "numpy"),
        "machine": machine(),
        "wall_s": round(perf_counter() - begin, 1),
        "failing": failed[:SHOWN],
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return 1 if failed else 0


def trial(data: Path, seed: int, number: int) -> dict[str, object]:
    """Damage one annotation, read it, and ingest it with its study."""
    random = Random(f"{seed} {number}")
    by_format = samples(data)
    form = sorted(by_format)[number % len(by_format)]
    place = random.randrange(len(by_format[form]))
    sample = by_format[form][place]
    files = dict(sample.files)
    done = damage(sample, files, random)
    expected = _undamaged(data, form, place)
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = _write(Path(folder) / "annotation", files, sample)
        outcome, detail, mask = _read(data, path, sample)
        if outcome == "read":
            outcome, detail = _compared(path, sample, mask, expected, done)
        if sample.of_study and outcome in GOOD:
            failure = _ingested(data, path, sample, Path(folder), mask)
            outcome, detail = failure or (outcome, detail)
    found = {"trial": number, "sample": f"{form} {next(iter(sample.files))}", "damage": done}
    found |= {"outcome": outcome, "detail": detail, "seconds": round(perf_counter() - start, 2)}
    if peak_mb() > MEMORY_MB:
        found["outcome"], found["detail"] = "memory", f"{peak_mb():.0f} MB"
    return found


def _read(data: Path, path: Path, sample: Sample) -> tuple[str, str, Mask | None]:
    try:
        return "read", "", _mask(data, path, sample)
    except UserError as error:
        return "refused", str(error), None
    except Exception:
        return "traceback", traceback.format_exc(limit=-4), None


def _mask(data: Path, path: Path, sample: Sample) -> Mask:
    """The one place that knows how an annotation is read."""
    from uteroseg.annotations.file import open_annotation

    drawn_on = study(data).mask.geometry
    return open_annotation(path).mask(sample.choice, lambda instances, points: drawn_on)


def _ingested(
    data: Path, path: Path, sample: Sample, folder: Path, mask: Mask | None
) -> tuple[str, str] | None:
    """What is wrong after the annotation was ingested with its study, by a table; None if nothing."""
    from uteroseg.dataset.store import Dataset
    from uteroseg.intake.ingest import ingest

    of, source, out = study(data), folder / "scan", folder / "out"
    for parent, contents in ((source / "dwi", of.files), (out, {})):
        parent.mkdir(parents=True)
        for name, content in contents.items():
            (parent / name).write_bytes(content)
    label = sample.choice.name or sample.choice.number
    table = folder / "table.csv"
    table.write_text(f"study,mask,label\n{of.uid},{path.relative_to(folder)},{label}\n")
    entered = False
    try:
        entered = any(
            outcome.case for outcome in ingest(source, out / "dataset", cohort="f", annotations=table)
        )
    except UserError:
        pass
    except Exception:
        return "traceback", traceback.format_exc(limit=-4)
    if problem := not_whole(out, expected=entered):
        return "half written", problem
    if not entered:
        return None
    dataset = Dataset.open(out / "dataset")
    (case,) = dataset.cases()
    if not (dataset.root / case.annotation("nii.gz")).is_file():
        return None
    if mask is None:
        return "silent", "a mask is in the dataset that reading refused"
    return (
        None
        if same(mask, dataset.load_mask(case)) or not same(mask, of.mask)
        else ("silent", "ingested otherwise")
    )


def _compared(
    path: Path, sample: Sample, mask: Mask | None, expected: Mask, done: list[str]
) -> tuple[str, str]:
    if mask is not None and same(mask, expected):
        return "same", ""
    if MUST_BE_NOTICED.isdisjoint(done) and as_others_read(path, sample, mask):
        return "another file", ""
    return "silent", f"{int(mask.data.sum())} voxels for {int(expected.data.sum())}"


def same(one: Mask, other: Mask) -> bool:
    """Whether two masks have the same voxels at the same places."""
    return one.geometry.difference(other.geometry) is None and np.array_equal(one.data, other.data)


@cache
def _undamaged(data: Path, form: str, place: int) -> Mask:
    sample = samples(data)[form][place]
    with tempfile.TemporaryDirectory() as folder:
        mask = _mask(data, _write(Path(folder), sample.files, sample), sample)
    assert mask.data.any()
    assert not sample.of_study or form == "RTSTRUCT" or same(mask, study(data).mask)
    return mask


def _write(folder: Path, files: dict[str, bytes], sample: Sample) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / next(iter(sample.files))


def _by_format(outcomes: list[dict]) -> dict[str, dict[str, int]]:
    formats = sorted({outcome["sample"].split(" ")[0] for outcome in outcomes})
    return {
        form: dict(
            sorted(Counter(o["outcome"] for o in outcomes if o["sample"].split(" ")[0] == form).items())
        )
        for form in formats
    }


if __name__ == "__main__":
    sys.exit(main())
