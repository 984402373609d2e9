import nibabel as nib
import numpy as np
import pytest

from tests import tiny
from uteroseg.dataset.store import Dataset
from uteroseg.model.spec import ModelSpec
from uteroseg.training import cache
from uteroseg.training.cache import prepare_case

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))


@pytest.fixture
def one(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    return dataset, tiny.add(dataset)


def test_a_case_is_prepared_once_and_mapped_from_disk_after_that(one, monkeypatch):
    dataset, case = one
    first = prepare_case(dataset, case, SPEC)
    monkeypatch.setattr(cache, "PreparedStudy", None)
    again = prepare_case(Dataset.open(dataset.root), case, SPEC)
    assert isinstance(again.slices, np.memmap)
    np.testing.assert_array_equal(first.slices, again.slices)
    assert (first.statistics, first.key) == (again.statistics, again.key)
    assert {path.suffix for path in (dataset.root.parent / "d.cache").iterdir()} == {".npy", ".json"}


def test_another_mask_image_or_spec_is_prepared_anew(one):
    dataset, case = one
    keys = [prepare_case(dataset, case, SPEC).key]
    keys.append(prepare_case(dataset, case, ModelSpec(spacing_mm=4.0, matrix=(32, 32))).key)
    path = dataset.root / case.annotation("nii.gz")
    mask = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(mask.dataobj)[::-1], mask.affine), path)
    keys.append(prepare_case(dataset, case, SPEC).key)
    path = dataset.root / case.dwi("nii.gz")
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * 2, image.affine), path)
    keys.append(prepare_case(dataset, case, SPEC).key)
    assert len(set(keys)) == 4


def test_an_unannotated_case_is_the_same_with_and_without_a_mask(one):
    dataset, case = one
    annotated = prepare_case(dataset, case, SPEC)
    first = prepare_case(dataset, case, SPEC, annotated=False)
    (dataset.root / case.annotation("nii.gz")).write_bytes(b"nothing that could be read")
    again = prepare_case(dataset, case, SPEC, annotated=False)
    (dataset.root / case.annotation("nii.gz")).unlink()
    assert {first.key, again.key, prepare_case(dataset, case, SPEC, annotated=False).key} == {first.key}
    assert first.key != annotated.key
    assert first.statistics == again.statistics
    assert first.statistics.tumour_adc is None
    np.testing.assert_array_equal(first.slices[:, :3], annotated.slices[:, :3])
    assert not first.slices[:, 3].any()


def test_without_a_place_for_the_cache_it_goes_on(one):
    dataset, case = one
    (dataset.root.parent / "d.cache").write_text("in the way")
    prepared = prepare_case(dataset, case, SPEC)
    assert prepared.slices.shape == (6, 4, 48, 48)
    assert (dataset.root.parent / "d.cache").read_text() == "in the way"


def test_half_a_cache_is_no_cache(one):
    dataset, case = one
    key = prepare_case(dataset, case, SPEC).key
    (dataset.root.parent / "d.cache" / f"{key}.npy").unlink()
    assert not isinstance(prepare_case(dataset, case, SPEC).slices, np.memmap)
