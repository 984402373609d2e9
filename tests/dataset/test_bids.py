"""Datasets pass the official BIDS validator, annotations and other derivatives included."""

import json
import os
import subprocess
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.dicom.build import Recipe, write_series
from tests.grids import grid
from tests.intake.layouts import nifti
from uteroseg.dataset.cohorts import remove_patients
from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dataset.visits import Visit
from uteroseg.imaging.nifti import write_mask
from uteroseg.imaging.study import Mask, Volume
from uteroseg.intake.ingest import ingest
from uteroseg.phantom.acquisition import DEFAULT
from uteroseg.phantom.cohort import simulate_cohort

SMALL = replace(DEFAULT, matrix=(48, 48), spacing_mm=5, slices=8, slice_mm=12)


def problems(root):
    """Every error that the validator finds, derivatives included."""
    command = Path(sysconfig.get_path("scripts")) / "bids-validator-deno"
    if not command.exists():
        if os.environ.get("CI"):
            pytest.fail("bids-validator-deno is not installed")
        pytest.skip("bids-validator-deno is not installed (pip install 'uteroseg[dev]')")
    answer = subprocess.run(
        [command, root, "--recursive", "--json"], capture_output=True, text=True, check=False
    )
    report = json.loads(answer.stdout)
    parts = {"": report, **report.get("derivativesSummary", {})}
    assert "/derivatives/annotations/" in parts
    return [
        (part, issue["code"], issue.get("subCode"), issue.get("location"))
        for part, one in parts.items()
        for issue in one["issues"]["issues"]
        if issue["severity"] == "error"
    ]


def test_a_virtual_cohort_with_two_scanners_and_two_readers_is_bids(tmp_path):
    for acquisition in (SMALL, replace(SMALL, name="other")):
        simulate_cohort(
            tmp_path / "d", "cervical", cases=1, seed=1, acquisition=acquisition, reader_dsc=0.9, workers=1
        )
    assert problems(tmp_path / "d") == []


def test_an_ingested_cohort_with_several_dates_is_bids(tmp_path):
    for day in ("20200101", "20200301"):

        def dated(ds, day=day):
            ds.StudyDate = day

        write_series(tmp_path / "scans" / day, Recipe(adjust=dated))
    outcomes = ingest(tmp_path / "scans", tmp_path / "d", cohort="cervical")
    assert [str(outcome.case) for outcome in outcomes] == ["sub-0001_ses-01", "sub-0001_ses-02"]
    dataset = Dataset.open(tmp_path / "d")
    study = dataset.load_study(outcomes[0].case)
    dataset.add_mask(outcomes[0].case, Mask(study.signal[0] > 2100, study.geometry), {"reader": "A"})
    assert problems(tmp_path / "d") == []


def test_nifti_images_of_several_dates_become_bids(tmp_path):
    for number in (1, 2):
        nifti(tmp_path / "in", f"p/ses-{number}/dwi", seed=number, sidecar={"EchoTime": 0.06})
    _, mask = nifti(tmp_path / "in", "q/dwi", seed=3)
    write_mask(tmp_path / "m.nii.gz", mask)
    (tmp_path / "masks.csv").write_text("study,mask,label\nq,m.nii.gz,\n")
    table = tmp_path / "masks.csv"
    taken = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    assert [str(one.case) for one in taken] == ["sub-0001_ses-01", "sub-0001_ses-02", "sub-0002"]
    assert problems(tmp_path / "d") == []


def test_t2_versions_of_masks_columns_of_a_table_and_removed_patients_are_bids(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    study, mask = tiny.study(1)
    image = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    fields = {"Manufacturer": "Siemens", "EchoTime": 0.1, "RepetitionTime": 4.0, "MagneticFieldStrength": 3}
    t2 = Volume(image, grid("axial", (4, 5, 6), (5, 1, 1)), fields)
    visits = [Visit(key, "1900-01-01", one_of_several=True) for key in "ab"]
    for visit in (*visits, visits[0]):
        who = Participant("", "uterine", source_key="p", others={"FIGO stage": "IB"})
        case = dataset.add(NewCase(study, who, "k", mask, visit=visit, with_adc=True, t2=t2))
    assert str(case) == "sub-0001_ses-01_acq-2"
    tiny.add(dataset, seed=2)
    dataset.replace_mask(case, Mask(~mask.data, mask.geometry), {"reader": "B"})
    dataset.update_participant("sub-0001", {"FIGO stage": "IB", "Ki-67": "20 %"})
    remove_patients(dataset, ["sub-0002"])
    assert problems(tmp_path / "d") == []


def test_the_validator_finds_what_is_wrong(tmp_path):
    simulate_cohort(tmp_path / "d", "cervical", cases=1, seed=1, acquisition=SMALL, workers=1)
    (tmp_path / "d/sub-0001/dwi/sub-0001_dwi.bval").unlink()
    assert problems(tmp_path / "d")
