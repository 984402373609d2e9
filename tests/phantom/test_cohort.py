import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.child import alive
from uteroseg.dataset.readers import cases_by_reader, readers_mask
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import dice
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.cohort import simulate_cohort

TINY = Acquisition(name="tiny", matrix=(48, 48), spacing_mm=5, slices=10, slice_mm=8)


def simulate(root, cases, cohort="uterine", **options):
    options = {"seed": 3, "acquisition": TINY, "workers": 1, **options}
    return simulate_cohort(root, cohort, cases=cases, **options)


def contents(root):
    """Every file of a dataset with its hash; the dataset's own name does not count."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "dataset_description.json")
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_cohort_does_not_depend_on_the_number_of_workers(tmp_path):
    for workers in (1, 2):
        simulate(tmp_path / str(workers), 4, workers=workers, tumour_free=0.25, reader_dsc=0.85)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_patient_is_the_same_in_a_cohort_and_in_a_larger_one(tmp_path):
    simulate(tmp_path / "small", 3, tumour_free=0.34, reader_dsc=0.9)
    simulate(tmp_path / "large", 5, tumour_free=0.34, reader_dsc=0.9)
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    shared = {name for name in small if name != "participants.tsv"}
    assert {name: small[name] for name in shared} == {name: large[name] for name in shared}
    rows = [(tmp_path / n / "participants.tsv").read_text().splitlines() for n in ("small", "large")]
    assert rows[0] == rows[1][: len(rows[0])]


def test_the_table_says_who_has_which_tumour(tmp_path):
    simulate(tmp_path / "d", 4, tumour_free=0.25)
    dataset = Dataset.open(tmp_path / "d")
    described = json.loads((tmp_path / "d" / "participants.json").read_text())
    without = 0
    for case in dataset.cases():
        person, mask = dataset.participant(case), dataset.load_mask(case)
        assert person.others["scanner"] == "tiny"
        assert set(person.others) <= set(described)
        volume = float(person.others["volume_ml"])
        if person.histology == "none":
            without += 1
            assert (volume, person.site, person.others["invasion"]) == (0, "n/a", "n/a")
            assert not mask.data.any()
        else:
            assert mask.data.sum() * 0.2 == pytest.approx(volume, rel=0.35, abs=0.6)
    assert without == 1


def test_masks_hold_the_planned_volume_at_the_resolution_of_the_paper(tmp_path):
    sharp = Acquisition(name="sharp", matrix=(80, 80), slices=26)
    simulate(tmp_path / "d", 3, cohort="cervical", acquisition=sharp)
    dataset = Dataset.open(tmp_path / "d")
    for case in dataset.cases():
        planned = float(dataset.participant(case).others["volume_ml"])
        assert dataset.load_mask(case).data.sum() * 0.018 == pytest.approx(planned, rel=0.1)


def test_the_same_patient_on_another_scanner_is_another_study_of_hers(tmp_path):
    simulate(tmp_path / "d", 2)
    for other in ({"acquisition": Acquisition(**{**vars(TINY), "snr": 20})}, {"randomise": True}):
        assert simulate(tmp_path / "d", 2, **other).added == 2
        assert simulate(tmp_path / "d", 2, **other).added == 0
    dataset = Dataset.open(tmp_path / "d")
    assert len(dataset.participants) == 2
    assert len(dataset.cases()) == 6


def test_a_second_reader_can_join_later_but_not_as_somebody_else(tmp_path):
    simulate(tmp_path / "later", 3)
    simulate(tmp_path / "later", 3, reader_dsc=0.8)
    simulate(tmp_path / "once", 3, reader_dsc=0.8)
    later, once = contents(tmp_path / "later"), contents(tmp_path / "once")
    assert later.keys() == once.keys()
    masks = [name for name in later if name.endswith("R2_mask.nii.gz")]
    assert len(masks) == 3
    assert all(later[name] == once[name] for name in masks)
    dataset = Dataset.open(tmp_path / "once")
    read = cases_by_reader(dataset, dataset.cases())["R2"]
    scores = [dice(readers_mask(dataset, "R2", c).data, dataset.load_mask(c).data) for c in read]
    assert np.mean(scores) == pytest.approx(0.8, abs=0.03)
    before = contents(tmp_path / "once")
    with pytest.raises(UserError, match="second reader"):
        simulate(tmp_path / "once", 4, reader_dsc=0.9)
    assert contents(tmp_path / "once") == before


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"cohort": "ovarian"}, "cervical or uterine"),
        ({"cases": 0}, "at least 1"),
        ({"seed": -1}, "0 or more"),
        ({"tumour_free": 1.0}, "0 to below 1"),
        ({"tumour_free": float("nan")}, "0 to below 1"),
        ({"reader_dsc": 0.2}, "0.5 to 0.98"),
        ({"encoding": "nrrd"}, "classic or enhanced"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_written(tmp_path, wrong, allowed):
    settings = {"cases": 1, **wrong}
    with pytest.raises(UserError) as refused:
        simulate(tmp_path / "d", settings.pop("cases"), **settings)
    assert allowed in refused.value.expected
    assert not (tmp_path / "d").exists()


def children_of(process):
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listed.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_a_killed_run_leaves_whole_patients_and_the_same_command_goes_on(tmp_path):
    script = (
        "from tests.phantom.test_cohort import simulate\n"
        "from pathlib import Path\n"
        f"simulate(Path({str(tmp_path / 'd')!r}), 40, workers=2, reader_dsc=0.9)\n"
    )
    (tmp_path / "run.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, tmp_path / "run.py"], env=environment)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "d").glob("sub-*/dwi/*_dwi.nii.gz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    dataset = Dataset.open(tmp_path / "d")
    left = dataset.cases()
    assert 3 <= len(left) < 40
    for case in left:
        assert dataset.load_study(case).geometry.difference(dataset.load_mask(case).geometry) is None
        readers_mask(dataset, "R2", case)
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers
    assert not any(map(alive, workers))
    cases = len(left) + 2
    assert simulate(tmp_path / "d", cases, reader_dsc=0.9).added == 2
    simulate(tmp_path / "whole", cases, reader_dsc=0.9)
    killed = {n: h for n, h in contents(tmp_path / "d").items() if not n.startswith(".incoming")}
    assert killed == contents(tmp_path / "whole")
