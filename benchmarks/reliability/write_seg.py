"""Write SEG and SR of studies whose headers are damaged: every damage, in every dialect, on three planes.

    python benchmarks/reliability/write_seg.py > write_seg.json

What cannot be read either is not counted. Each SEG is read back by highdicom and by dcmqi, to the voxels of
the mask, and looked at by dicom3tools' ``dciodvfy``, as is each SR. UIDs against the rule are kept, since
they refer: what the validator says of those is not counted. Masks have tumour in all slices, in some, in
one and in none, with frames of the other slices and without. Ends with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from itertools import product
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from _common import machine, versions

SHOWN = 20
SLICES = [(1, 3), (2,), (), (0, 1, 2, 3, 4)]


def main() -> int:
    from tests.dicom.build_damage import BREAKS_UIDS, DAMAGES, DIALECTS, PLANES

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="damages that have this in their name")
    chosen = parser.parse_args()
    if not shutil.which("dciodvfy"):
        parser.error("dciodvfy is absent: install dicom3tools")
    warnings.simplefilter("ignore")
    damages = {name: one for kind in DAMAGES.values() for name, one in kind.items() if chosen.only in name}
    begin, counts, failing = perf_counter(), Counter(), []
    for number, (name, dialect, plane) in enumerate(product(damages, DIALECTS, PLANES)):
        with tempfile.TemporaryDirectory() as folder:
            done, detail = trial(
                Path(folder), number, dialect, plane, damages[name], uids=name not in BREAKS_UIDS
            )
        counts.update(done)
        if detail:
            failing.append({"damage": name, "dialect": dialect, "plane": plane, "detail": detail})
        if number % 100 == 99:
            print(f"{number + 1} of {len(damages) * len(DIALECTS) * len(PLANES)}", file=sys.stderr)
    result = {
        "dialects": len(DIALECTS),
        "damages": len(damages),
        "planes": len(PLANES),
        **counts,
        "versions": versions("uteroseg", "highdicom", "pydicom", "dcmqi"),
        "machine": machine(),
        "wall_s": round(perf_counter() - begin, 1),
        "failing": failing[:SHOWN],
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return 1 if failing else 0


def trial(
    root: Path, number: int, dialect: str, plane: str, damage, *, uids: bool
) -> tuple[Counter[str], str]:
    """Damage, read, write and read back; count what went well, and say what did not."""
    import numpy as np
    from tests.dicom.build_damage import write_damaged
    from tests.dicom.readers import by_dcmqi, by_highdicom, dciodvfy_errors

    from uteroseg.dicom.assemble import load_study, source_images
    from uteroseg.dicom.scan import scan_folder
    from uteroseg.dicom.seg import write_seg
    from uteroseg.dicom.sr import write_sr
    from uteroseg.dicom.studies import require_studies
    from uteroseg.errors import UserError
    from uteroseg.imaging.measure import adc_statistics
    from uteroseg.imaging.study import Mask

    seen: Counter[str] = Counter(
        combinations=1,
        **dict.fromkeys(("not_readable", "seg_written", "sr_written"), 0),
        **dict.fromkeys(("equal_by_highdicom", "equal_by_dcmqi", "dciodvfy_errors"), 0),
    )
    write_damaged(root / "scan", dialect, plane, damage)
    try:
        (found,) = require_studies(scan_folder(root / "scan"), root)
        study = load_study(found.used)
    except UserError:
        seen["not_readable"] = 1
        return seen, ""
    data = np.random.default_rng(number).random(study.geometry.shape) > 0.6
    data[[s for s in range(len(data)) if s not in SLICES[(number + number // 36) % len(SLICES)]]] = False
    seg, sr = root / "seg.dcm", root / "sr.dcm"
    try:
        mask = Mask(data, study.geometry)
        named = {"algorithm_name": "m", "algorithm_version": "1", "keep_empty_frames": number % 5 == 0}
        dataset = write_seg(seg, mask, source_images(found.dwi), **named)
        seen["seg_written"] = 1
        write_sr(sr, dataset, volume_ml=1, diameter_mm=2, adc=adc_statistics(mask, study.fit().adc))
        seen["sr_written"] = 1
        errors = [*dciodvfy_errors(seg, uids=uids), *dciodvfy_errors(sr, uids=uids)]
        seen["dciodvfy_errors"] = len(errors)
        seen["equal_by_highdicom"] = int(np.array_equal(by_highdicom(seg, study.geometry), data))
        seen["equal_by_dcmqi"] = int(np.array_equal(by_dcmqi(seg, study.geometry), data))
    except Exception:
        return seen, traceback.format_exc(limit=-3)
    equal = seen["equal_by_highdicom"] and seen["equal_by_dcmqi"]
    return seen, "; ".join(errors) or ("" if equal else "other voxels")


if __name__ == "__main__":
    sys.exit(main())
