"""Does nnU-Net's integrity check accept what `uteroseg export --to nnunet` writes, and do we read it back?

    python benchmarks/peers/nnunet_integrity.py --nnunet-python ENV/bin/python > nnunet_integrity.json

Simulates a few patients, exports them, lets nnU-Net's `verify_dataset_integrity` look, then takes the export
back, with the dataset that it was made from and by its channels alone. A label that is no label must be
refused by nnU-Net, so that its silence means something. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _common import machine, versions

from uteroseg.dataset.split import assign_splits
from uteroseg.dataset.store import Dataset
from uteroseg.intake.nnunet import find_nnunet
from uteroseg.intake.original import ORIGINAL, copy_dataset, original_in
from uteroseg.model.nnunet import export_nnunet
from uteroseg.phantom.cohort import simulate_cohort

VERIFY = """
import sys
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

if __name__ == "__main__":
    verify_dataset_integrity(sys.argv[1], num_processes=1)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--nnunet-python", type=Path, required=True)
    options.add_argument("--cases", type=int, default=4, help="virtual patients")
    asked = options.parse_args()
    python = asked.nnunet_python.absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_cohort(folder / "data", "cervical", cases=asked.cases, seed=1, workers=1)
        dataset = Dataset.open(folder / "data")
        assign_splits(dataset, test=1 / asked.cases, seed=1)
        raw = export_nnunet(dataset, folder / "raw").folder
        accepted, said = _verify(python, raw, folder)
        copy_dataset(original_in(raw), folder / "back")
        result = {
            "accepted": accepted,
            "said": said,
            "comes_back_byte_for_byte": _contents(folder / "back") == _contents(dataset.root),
            "masks_by_channels_alone_identical": _masks_identical(raw, dataset),
            "damaged_label_refused": not _verify(python, _damaged(raw), folder)[0],
            "cases": asked.cases,
            "virtual_patients": True,
            "machine": machine(),
            "versions": versions("uteroseg", "numpy", "nibabel") | _nnunet_version(python),
        }
    print(json.dumps(result, indent=2))


def _verify(python: Path, raw: Path, folder: Path) -> tuple[bool, str]:
    script = folder / "verify.py"
    script.write_text(VERIFY, "utf-8")
    done = subprocess.run([python, script, raw], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.strip(" #")]
    return done.returncode == 0 and not any("Error" in line for line in lines), " ".join(lines)


def _contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def _masks_identical(raw: Path, dataset: Dataset) -> bool:
    about = json.loads((raw / "dataset.json").read_text("utf-8"))
    bare = shutil.copytree(raw, raw.with_name("bare"), ignore=shutil.ignore_patterns(ORIGINAL))
    (bare / "dataset.json").write_text(json.dumps({**about, "original": None}), "utf-8")
    masks = {}
    for found in find_nnunet(bare):
        if found.load_mask:
            masks[found.name.split("/")[1]] = found.load_mask(found.load())[0].data
    cases = {str(case): dataset.load_mask(case).data for case in dataset.cases()}
    return masks.keys() == cases.keys() and all((masks[case] == cases[case]).all() for case in cases)


def _damaged(raw: Path) -> Path:
    copy = shutil.copytree(raw, raw.with_name("damaged"))
    label = next((copy / "labelsTr").iterdir())
    image = nib.load(label)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * np.uint8(7), image.affine), label)
    return copy


def _nnunet_version(python: Path) -> dict[str, str]:
    code = "from importlib.metadata import version; print(version('nnunetv2'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return {"nnunetv2": done.stdout.strip()}


if __name__ == "__main__":
    main()
