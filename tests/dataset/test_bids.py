"""Datasets pass the official BIDS validator, annotations and other derivatives included."""

import json
import os
import subprocess
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dicom.build import Recipe, write_series
from tests.intake.layouts import nifti
from uteroseg.annotations.table import read_annotations
from uteroseg.dataset.store import Dataset
from uteroseg.imaging.nifti import write_mask
from uteroseg.imaging.study import Mask
from uteroseg.intake.ingest import ingest
from uteroseg.intake.nifti import find_nifti
from uteroseg.intake.take import Origin, take_studies
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
    studies = find_nifti(tmp_path / "in", read_annotations(tmp_path / "masks.csv"))
    taken = take_studies(studies, tmp_path / "d", Origin("nifti", "in", "uterine"))
    assert [str(one.case) for one in taken] == ["sub-0001_ses-01", "sub-0001_ses-02", "sub-0002"]
    assert problems(tmp_path / "d") == []


def test_the_validator_finds_what_is_wrong(tmp_path):
    simulate_cohort(tmp_path / "d", "cervical", cases=1, seed=1, acquisition=SMALL, workers=1)
    (tmp_path / "d/sub-0001/dwi/sub-0001_dwi.bval").unlink()
    assert problems(tmp_path / "d")
