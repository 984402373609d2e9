"""How fast scanner files are read, beside pydicom alone and dcm2niix on the same files.

    python benchmarks/ingest.py > ingest.json

``ms_per_file`` is header reading, finding the study, decoding and assembling it (PROSTATEx 0000, 57 files),
in one process. Everything is the median of several runs in a warm file cache.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from _common import COMMAND, default_data, machine, median_s, timed, versions

TREE = 10_000
FOLDERS = ("prostatex/0000/dwi", "prostatex/0000/adc", "prostatex/0001/dwi", "canon_galan/classic")
PEAK = """
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from uteroseg.intake.ingest import ingest
ingest(Path(sys.argv[1]), Path(sys.argv[2]), cohort="benchmark")
print(getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=int, default=7)
    chosen = parser.parse_args()
    study = chosen.data / "prostatex" / "0000" / "dwi"
    result = {
        **_per_file(study, chosen.runs),
        **_dcm2niix(study, chosen.runs),
        **_cold_start(study, chosen.runs),
        **_headers(chosen.data, max(3, chosen.runs // 2)),
        "peak_mb": _peak_mb(chosen.data / "canon_galan" / "classic"),
        "machine": machine(),
        "versions": versions("uteroseg", "pydicom", "numpy", "dcm2niix"),
        "runs": chosen.runs,
    }
    print(json.dumps(result, indent=2))


def _per_file(study: Path, runs: int) -> dict[str, float]:
    """One process, every part anew in each run, in turn with pydicom alone: both see the same load."""
    import pydicom

    from uteroseg.dicom.assemble import load_study
    from uteroseg.dicom.scan import scan_folder
    from uteroseg.dicom.studies import find_studies

    files = sorted(study.iterdir())
    rows = []
    for _ in range(runs + 1):
        alone, _ = timed(lambda: [pydicom.dcmread(file).pixel_array for file in files])
        headers, scan = timed(lambda: scan_folder(study))
        find, (found,) = timed(lambda scan=scan: find_studies(scan))
        load, _ = timed(lambda found=found: load_study(found.used))
        rows.append((headers + find + load, headers, find, load, alone))
    # the first run imports what the others find
    medians = [1000 * statistics.median(column) / len(files) for column in zip(*rows[1:], strict=True)]
    names = ("ms_per_file", "ms_headers", "ms_find", "ms_decode_and_assemble", "pydicom_ms_per_file")
    return {name: round(value, 3) for name, value in zip(names, medians, strict=True)}


def _dcm2niix(study: Path, runs: int) -> dict[str, object]:
    """The whole process less that of ``--version``, which starts and does nothing."""
    if find_spec("dcm2niix") is None:
        return {"dcm2niix_ms_per_file": None}
    import dcm2niix

    def convert() -> None:
        with tempfile.TemporaryDirectory() as folder:
            _quietly([dcm2niix.bin, "-z", "n", "-o", folder, str(study)])

    start = median_s(lambda: _quietly([dcm2niix.bin, "--version"], succeeds=False), runs)
    seconds = median_s(convert, runs)
    files = len(list(study.iterdir()))
    return {
        "dcm2niix_ms_per_file": round(1000 * (seconds - start) / files, 3),
        "dcm2niix_note": "uncompressed NIfTI, process start subtracted",
        "dcm2niix_process_start_ms": round(1000 * start, 1),
    }


def _cold_start(study: Path, runs: int) -> dict[str, float]:
    """The whole command on 57 files into a new dataset, less what the decoding takes in a warm process."""
    from uteroseg.dicom.assemble import load_study
    from uteroseg.dicom.scan import scan_folder
    from uteroseg.dicom.studies import find_studies

    def command() -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "dataset"
            _quietly(
                [sys.executable, "-c", COMMAND, "ingest", str(study), str(target), "--cohort", "benchmark"]
            )

    whole = median_s(command, runs)
    (found,) = find_studies(scan_folder(study))
    decoding = median_s(lambda: load_study(found.used), runs)
    return {"ingest_command_s": round(whole, 3), "cold_start_s": round(whole - decoding, 3)}


def _headers(data: Path, runs: int) -> dict[str, object]:
    from uteroseg.dicom import reading
    from uteroseg.dicom.scan import scan_folder

    def scan_in_one_process(folder: Path) -> None:
        many, reading.MANY = reading.MANY, TREE + 1
        scan_folder(folder)
        reading.MANY = many

    with tempfile.TemporaryDirectory() as folder:
        _copy_tree(data, Path(folder))
        scan_folder(Path(folder))
        seconds = median_s(lambda: scan_folder(Path(folder)), runs)
        alone = median_s(lambda: scan_in_one_process(Path(folder)), runs)
    return {
        "headers_per_s": round(TREE / seconds),
        "headers_per_s_one_process": round(TREE / alone),
        "headers_files": TREE,
    }


def _copy_tree(data: Path, target: Path) -> None:
    """Real classic files again and again, under other names, about 650 to a folder."""
    files = [path for folder in FOLDERS for path in sorted((data / folder).iterdir())]
    for number in range(TREE):
        folder = target / f"{number // len(files):03d}"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(files[number % len(files)], folder / f"{number:05d}")


def _peak_mb(series: Path) -> float | None:
    """Peak memory of a fresh process that ingests a series of 520 files."""
    if find_spec("resource") is None:  # Windows
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PEAK, str(series), str(Path(folder) / "dataset")]
        answer = subprocess.run(command, capture_output=True, check=True, text=True)
    return round(int(answer.stdout) / 1e6, 1)


def _quietly(command: list[str], *, succeeds: bool = True) -> None:
    subprocess.run(command, capture_output=True, check=succeeds)


if __name__ == "__main__":
    main()
