import json

import numpy as np
import pytest

from tests.intake.public import cohort
from tests.intake.public.server import Bucket, serving
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.intake.public.collections import collection_named
from uteroseg.intake.public.get import downloads_of, get
from uteroseg.intake.public.selection import select

CERVICAL, UTERINE = collection_named("cc_tumor_heterogeneity"), collection_named("cptac_ucec")
CITATIONS = {"10.7937/erz5-qz59": "Mayr, N. (2023). Cervical.", "10.7937/89m3-kq43": "Rozenfeld, M. (2023)."}


@pytest.fixture(scope="module")
def cervical(tmp_path_factory):
    """GE without its b-values and Siemens with them, as in cc_tumor_heterogeneity: files, rows, truth."""
    root = tmp_path_factory.mktemp("cervical")
    files, rows, truth = {}, [], {}
    for patient, vendor, b_values, name in (
        ("CCTH-A01", "ge", (0, 100, 600, 1000), "SAG DWI B100/600/1000"),
        ("CCTH-B01", "siemens", (0, 600, 1000), "sag diffusion"),
    ):
        folder = root / patient
        truth[b_values] = cohort.write(folder, patient, b_values, vendor)
        cohort.describe(folder / "dwi", SeriesDescription=name)
        cohort.describe(folder / "adc", SeriesDescription="Apparent Diffusion Coefficient (mm2/s)")
        cohort.describe(folder / "t2", SeriesDescription="SAG T2")
        cohort.describe(folder / "rtstruct.dcm", SeriesDescription="ROI")
        cohort.add_uterus(folder / "rtstruct.dcm")
        if vendor == "ge":
            cohort.strip_private(folder / "dwi")
        some, described = cohort.publish(folder, CERVICAL.name, "10.7937/ERZ5-QZ59")
        files |= some
        rows += described
    return files, rows, truth


@pytest.fixture(scope="module")
def uterine(tmp_path_factory):
    """Siemens with contours on T1 after contrast, as cptac_ucec has them: files, rows, truth."""
    folder = tmp_path_factory.mktemp("uterine") / "C3N-00001"
    truth = cohort.write(folder, "C3N-00001", (50, 400, 800), "siemens")
    cohort.describe(folder / "dwi", SeriesDescription="ep2d_diff_b 50 400 800_TRACEW", SeriesNumber=8)
    cohort.describe(folder / "adc", SeriesDescription="ep2d_diff_b 50 400 800_ADC", SeriesNumber=9)
    cohort.describe(folder / "t2", SeriesDescription="t1_fl3d_tra fs_dyn CM", SeriesNumber=11)
    contours = {"SeriesDescription": "Pre-Dose, UTERUS - 1", "SeriesNumber": 11}
    cohort.describe(folder / "rtstruct.dcm", **contours)
    return (*cohort.publish(folder, UTERINE.name, "10.7937/89M3-KQ43"), truth)


def run(rule, bucket, rows, root, **options):
    with serving(bucket) as endpoint:
        return get(rule, select(rule, rows), root, citations=CITATIONS, endpoint=endpoint, **options)


def dsc(one, other):
    return 2 * (one.data & other.data).sum() / (one.data.sum() + other.data.sum())


def annotation(dataset, case):
    return json.loads((dataset.root / case.annotation("json")).read_text())


def test_a_cervical_cohort_becomes_a_dataset_with_licence_and_citation(cervical, tmp_path):
    files, rows, truth = cervical
    root, progress = tmp_path / "dataset", []
    got = run(CERVICAL, Bucket(files), rows, root, on_file=lambda done, total: progress.append((done, total)))
    assert [outcome.status for outcome in got.outcomes] == ["added", "added"], got
    assert not got.failed
    assert not got.unused
    assert progress[-1] == (len(files), len(files))
    dataset = Dataset.open(root)
    assert len(dataset.cases("cervical")) == 2
    for case in dataset.cases():
        study = dataset.load_study(case)
        simulated, tumour = truth[study.b_values]
        np.testing.assert_array_equal(study.signal, simulated.signal)
        assert dsc(dataset.load_mask(case), tumour) > 0.95  # and not the uterus, which has the same name
        assert annotation(dataset, case)["annotation_source"] == "T2"
        source = study.acquisition["b_value_source"]
        assert source.startswith("user") == (len(study.b_values) == 4)
    description = json.loads((root / "dataset_description.json").read_text())
    assert description["License"] == "CC BY 4.0"
    assert description["ReferencesAndLinks"] == ["Mayr, N. (2023). Cervical."]


def test_a_second_collection_is_added_with_its_own_citation(cervical, uterine, tmp_path):
    root = tmp_path / "dataset"
    run(CERVICAL, Bucket(cervical[0]), cervical[1], root)
    got = run(UTERINE, Bucket(uterine[0]), uterine[1], root)
    assert [outcome.status for outcome in got.outcomes] == ["added"], got
    dataset = Dataset.open(root)
    assert (len(dataset.cases("cervical")), len(dataset.cases("uterine"))) == (2, 1)
    (case,) = dataset.cases("uterine")
    assert dataset.load_study(case).b_values == (50, 400, 800)
    assert dsc(dataset.load_mask(case), uterine[2][1]) > 0.95
    assert annotation(dataset, case)["annotation_source"] == "another series"
    assert annotation(dataset, case)["drawn_on"] == "t1_fl3d_tra fs_dyn CM"
    description = json.loads((root / "dataset_description.json").read_text())
    assert description["ReferencesAndLinks"] == ["Mayr, N. (2023). Cervical.", "Rozenfeld, M. (2023)."]
    assert description["License"] == "CC BY 4.0"


def test_a_study_that_cannot_be_downloaded_is_told_and_the_same_command_adds_it(cervical, tmp_path):
    files, rows, _ = cervical
    root, bucket = tmp_path / "dataset", Bucket(files)
    bucket.wrong = {next(key for key in files if key.startswith("CCTH-A01"))}
    got = run(CERVICAL, bucket, rows, root)
    ((study, error),) = got.failed
    assert study.patient == "CCTH-A01"
    assert "another size or checksum" in str(error)
    assert [outcome.status for outcome in got.outcomes] == ["added"]
    whole = Bucket(files)
    again = run(CERVICAL, whole, rows, root)
    assert not again.failed
    assert sorted(outcome.status for outcome in again.outcomes) == ["added", "present"]
    assert {key.split("-")[1] for key, _ in whole.sent} == {"A01"}
    assert len(Dataset.open(root).cases()) == 2
    assert downloads_of(root) == root.with_name("dataset.download")


def test_nothing_to_get_is_an_error_and_writes_nothing(tmp_path):
    with pytest.raises(UserError, match=r"nothing to get.*liver and kidneys"):
        run(collection_named("tcga_ucec"), Bucket({}), [], tmp_path / "dataset")
    assert not list(tmp_path.iterdir())


def test_without_a_network_no_dataset_is_made(cervical, tmp_path):
    rows = cervical[1]
    with pytest.raises(UserError, match="cannot be listed"):
        get(
            CERVICAL,
            select(CERVICAL, rows),
            tmp_path / "dataset",
            citations={},
            endpoint="http://127.0.0.1:9/{bucket}",
        )
    assert not (tmp_path / "dataset").exists()
