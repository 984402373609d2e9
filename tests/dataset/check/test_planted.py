"""Every planted defect is found, and a clean cohort raises none."""

import gzip
import json
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from uteroseg.dataset.check.run import check_dataset
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.phantom.acquisition import DEFAULT
from uteroseg.phantom.artefacts import with_ghost
from uteroseg.phantom.cohort import simulate_cohort

SMALL = replace(DEFAULT, matrix=(80, 80), spacing_mm=3.2, slices=14, slice_mm=7.5)
FIRST, SECOND = CaseId("sub-0001"), CaseId("sub-0002")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Two patients with a scanner's ADC; not to be changed."""
    root = tmp_path_factory.mktemp("check") / "clean"
    simulate_cohort(root, "cervical", cases=2, seed=3, acquisition=SMALL, workers=1)
    dataset = Dataset.open(root)
    for case in dataset.cases():
        image = nib.load(root / case.dwi("nii.gz"))
        adc = dataset.load_study(case).fit().adc.T
        nib.save(nib.Nifti1Image(adc, image.affine), root / case.scanner_adc)
    for split, participant in zip(("train", "test"), list(dataset.participants), strict=True):
        dataset.participants[participant] = replace(dataset.participants[participant], split=split)
    dataset.save_participants()
    return root


def change(path, function, *, affine=None):
    """Write an image again, changed."""
    image = nib.load(path)
    data = function(np.asarray(image.dataobj, np.float32))
    nib.save(nib.Nifti1Image(data, image.affine if affine is None else affine(image.affine)), path)


def dwi(root, ending="nii.gz"):
    return root / FIRST.dwi(ending)


def mask(root):
    return root / FIRST.annotation("nii.gz")


def with_voxel(value):
    def put(data):
        data[3, 4, 5, 0] = value
        return data

    return put


def moved_by(mm):
    def move(affine):
        affine = affine.copy()
        affine[0, 3] += mm
        return affine

    return move


def moved(path):
    change(path, lambda data: data, affine=moved_by(6))


def without_slice(data):
    data[:, :, 2] = 0
    return data


def in_test_too(table):
    row = next(line for line in table.splitlines() if "\ttrain\t" in line)
    return table + row.replace("train", "test") + "\n"


def in_no_split(root):
    rows(root, lambda table: table.replace("\ttrain\t", "\tdev\t"))


def two_forms(root, mm=8):
    image = nib.load(dwi(root))
    image.set_qform(moved_by(mm)(image.affine), code="scanner")
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), None, image.header), dwi(root))


def noisy(data):
    rng = np.random.default_rng(1)
    noise = rng.normal(0, data[..., -1].max() / 3, (2, *data.shape))
    return np.hypot(data + noise[0], noise[1]).astype(np.float32)


def on_bladder(root):
    """The mask where ADC is that of urine."""
    study = Dataset.open(root).load_study(FIRST)
    body = study.signal[0] > np.percentile(study.signal[0], 80)
    change(mask(root), lambda data: ((study.fit().adc > 2.4) & body).T.astype(np.float32))


def in_air(root):
    study = Dataset.open(root).load_study(FIRST)
    air = study.signal[0] < np.percentile(study.signal[0], 30)
    change(mask(root), lambda data: air.T.astype(np.float32))


def at_border(data):
    data[:3] = data[-3:] = 0
    data[30:50, 30:50, 0] = 1
    return data


def few_voxels(data):
    kept = np.zeros_like(data)
    kept[tuple(np.argwhere(data)[0])] = 1
    return kept


def rows(root, edit):
    table = root / "participants.tsv"
    table.write_text(edit(table.read_text()))


def one_patient_twice(root):
    """The second patient has the key of the first, in the other split."""
    key = Dataset.open(root).participants["sub-0001"].source_key
    other = Dataset.open(root).participants["sub-0002"].source_key
    rows(root, lambda text: text.replace(other, key))


def copied_study(root):
    for source in (root / FIRST.folder).iterdir():
        shutil.copyfile(source, root / SECOND.folder / source.name.replace("sub-0001", "sub-0002"))


def histology_none(root):
    name = Dataset.open(root).participants["sub-0001"].histology
    rows(root, lambda text: text.replace(f"\t{name}\t", "\tnone\t"))


def truncated(root):
    dwi(root).write_bytes(dwi(root).read_bytes()[:20_000])


def readers_mask_elsewhere(root):
    path = root / FIRST.readers_annotation("B")
    shutil.copyfile(mask(root), path)
    change(path, lambda data: data, affine=moved_by(5))


def no_raw(root):
    path = root / "dataset_description.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "DatasetType": "derivative"}))


def damaged_json(root):
    dwi(root, "json").write_text("{")


def measured_again(data):
    """Two images at the lowest b-value, the noise of each its own."""
    noise = np.random.default_rng(2).normal(0, data.max() / 200, data[..., 0].shape)
    return np.stack([data[..., 0], np.abs(data[..., 0] * 1.001 + noise)], axis=-1)


def damaged_t2(root):
    path = root / FIRST.t2w("nii.gz")
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"no image"))


def damaged_adc(root):
    (root / FIRST.scanner_adc).write_bytes(gzip.compress(b"no image"))


PLANTED = {
    "images on a grid that the mask lacks": (
        "mask-grid",
        lambda r: moved(mask(r)),
    ),
    "a reader's mask on another grid": ("mask-grid", readers_mask_elsewhere),
    "the scanner's ADC on another grid": (
        "adc-grid",
        lambda r: moved(r / FIRST.scanner_adc),
    ),
    "a header with two grids": ("grid", two_forms),
    "a header with two grids, half a voxel apart": ("grid", lambda r: two_forms(r, mm=1.6)),
    "voxels in metres": ("spacing", lambda r: change(dwi(r), lambda d: d, affine=lambda a: a / 1000)),
    "two slices": ("slices", lambda r: change(dwi(r), lambda d: d[:, :, 4:6])),
    "a b-value too few": ("b-values", lambda r: dwi(r, "bval").write_text("1000\n")),
    "a b-value twice": ("b-values", lambda r: dwi(r, "bval").write_text("1000 1000\n")),
    "a negative b-value": ("b-values", lambda r: dwi(r, "bval").write_text("-1 1000\n")),
    "b-values that are words": ("b-values", lambda r: dwi(r, "bval").write_text("zero thousand\n")),
    "no b-values": ("b-values", lambda r: dwi(r, "bval").unlink()),
    "no high b-value": ("b-values", lambda r: dwi(r, "bval").write_text("0 100\n")),
    "no low b-value": ("b-values", lambda r: dwi(r, "bval").write_text("400 1000\n")),
    "b-values in the wrong order": ("b-value-order", lambda r: dwi(r, "bval").write_text("1000 0\n")),
    "NaN": ("not-finite", lambda r: change(dwi(r), with_voxel(np.nan))),
    "infinite": ("not-finite", lambda r: change(dwi(r), with_voxel(np.inf))),
    "one image at two b-values": ("same-image", lambda r: change(dwi(r), lambda d: d[..., [0, 0]])),
    "the same b-value measured twice": ("b-value-order", lambda r: change(dwi(r), measured_again)),
    "a T2 that is damaged": ("t2", damaged_t2),
    "an image of nothing": ("empty-image", lambda r: change(dwi(r), lambda d: d * [1, 0])),
    "a slice of nothing": (
        "empty-slice",
        lambda r: change(dwi(r), without_slice),
    ),
    "noise": ("snr", lambda r: change(dwi(r), noisy)),
    "a ghost along columns": ("ghost", lambda r: change(dwi(r), lambda d: with_ghost(d.T, 0.15).T)),
    "a ghost along rows": ("ghost", lambda r: change(dwi(r), lambda d: d + 0.15 * np.roll(d, 40, axis=1))),
    "the scanner's ADC in another unit": (
        "adc-scanner",
        lambda r: change(r / FIRST.scanner_adc, lambda d: d * 1000),
    ),
    "the scanner's ADC of other b-values": (
        "adc-scanner",
        lambda r: change(r / FIRST.scanner_adc, lambda d: d * 0.7),
    ),
    "a damaged ADC map": ("unreadable", damaged_adc),
    "an empty mask": ("mask-empty", lambda r: change(mask(r), np.zeros_like)),
    "a mask of one voxel": ("mask-tiny", lambda r: change(mask(r), few_voxels)),
    "a mask in the first slice": ("mask-border", lambda r: change(mask(r), at_border)),
    "labels": ("mask-values", lambda r: change(mask(r), lambda d: d * 3)),
    "a mask on urine": ("mask-adc", on_bladder),
    "a mask on air": ("mask-outside", in_air),
    "a tumour in a patient without": ("mask-unexpected", histology_none),
    "a patient twice in the table": (
        "both-splits",
        lambda r: rows(r, in_test_too),
    ),
    "one patient under two names": ("both-splits", one_patient_twice),
    "one study in both splits": ("both-splits", copied_study),
    "one study twice": ("duplicate", copied_study),
    "a split of another name": (
        "participants",
        in_no_split,
    ),
    "a folder that no row names": ("participants", lambda r: (r / "sub-0009").mkdir()),
    "no image": ("missing-file", lambda r: dwi(r).unlink()),
    "no sidecar": ("missing-file", lambda r: dwi(r, "json").unlink()),
    "no bvec": ("missing-file", lambda r: dwi(r, "bvec").unlink()),
    "no mask": ("no-mask", lambda r: mask(r).unlink()),
    "a truncated image": ("unreadable", truncated),
    "a damaged sidecar": ("unreadable", damaged_json),
    "a dataset that calls itself a derivative": ("description", no_raw),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_found_with_its_fix(clean, tmp_path, name):
    check, plant = PLANTED[name]
    root = shutil.copytree(clean, tmp_path / "d")
    plant(root)
    found = [finding for finding in check_dataset(root, workers=1).findings if finding.check == check]
    assert found, name
    assert all(finding.found and finding.fix for finding in found)


def test_a_clean_cohort_raises_nothing_and_is_not_changed(clean):
    before = {path: path.stat().st_mtime_ns for path in clean.rglob("*")}
    report = check_dataset(clean, workers=1)
    assert report.findings == ()
    assert {path: path.stat().st_mtime_ns for path in clean.rglob("*")} == before
    measures = report.describe()["measures"]["sub-0001"]
    assert measures["snr"] > 3
    assert 0 <= measures["ghost"] < 0.08
    assert 0.4 < measures["mask_adc"] < 1.8


@pytest.mark.parametrize("scanner", ["siemens-trio-3t", "ge-signa-1.5t", "philips-ingenia-3t"])
def test_no_virtual_scanner_raises_an_alarm(tmp_path, scanner):
    from uteroseg.phantom.presets import acquisition_named

    acquisition = replace(acquisition_named(scanner), matrix=(96, 96), spacing_mm=2.7, slices=16, slice_mm=7)
    simulate_cohort(tmp_path / "d", "uterine", cases=1, seed=2, acquisition=acquisition, workers=1)
    assert check_dataset(tmp_path / "d", workers=1).findings == ()


def test_a_patient_without_a_tumour_is_no_problem(tmp_path):
    options = {"acquisition": SMALL, "tumour_free": 0.99, "workers": 1}
    simulate_cohort(tmp_path / "d", "uterine", cases=1, seed=1, **options)
    dataset = Dataset.open(tmp_path / "d")
    assert not dataset.load_mask(FIRST).data.any()
    assert check_dataset(tmp_path / "d", workers=1).findings == ()


def test_what_rounding_leaves_between_two_places_of_a_grid_is_no_problem(clean, tmp_path):
    root = shutil.copytree(clean, tmp_path / "d")
    two_forms(root, mm=0.05)
    assert check_dataset(root, workers=1).findings == ()
