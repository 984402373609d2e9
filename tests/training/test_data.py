import nibabel as nib
import numpy as np
import pytest
import torch

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.model.prepare import network_input, network_target
from uteroseg.model.spec import ModelSpec
from uteroseg.training.augment import augment
from uteroseg.training.data import load_training_data

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return tiny.cohorts(tmp_path_factory.mktemp("data") / "d")


def test_the_cases_slices_are_what_prediction_would_see(dataset):
    cases = dataset.annotated_cases("cervical", "train")
    data = load_training_data(dataset, cases, SPEC)
    study, mask = dataset.load_study(cases[1]), dataset.load_mask(cases[1])
    np.testing.assert_array_equal(data.images[6:12].numpy(), network_input(study, SPEC))
    np.testing.assert_array_equal(data.targets[6:12, 0].numpy(), network_target(mask, SPEC))
    assert (data.plane, data.b_values, data.slice_spacing_mm) == ("sagittal", [0.0, 1000.0], [5.0])
    assert set(data.with_tumour.tolist()) == {i for i, t in enumerate(data.targets) if t.any()}


def test_half_of_a_batch_holds_tumour_and_the_generator_decides_it(dataset):
    data = load_training_data(dataset, dataset.cases("cervical"), SPEC)
    batches = [data.sample(8, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert batches[0][1][:4].flatten(1).any(dim=1).all()
    assert torch.equal(batches[0][0], batches[1][0])
    assert not torch.equal(batches[0][0], batches[2][0])


def test_augmentation_moves_image_and_target_together():
    """A tumour that is the only bright thing must stay under its target."""
    targets = torch.zeros(32, 1, 48, 48)
    targets[:, :, 18:30, 14:26] = 1
    images = targets.repeat(1, 3, 1, 1) * 20
    moved, moved_targets = augment(images, targets, torch.Generator().manual_seed(1))
    bright = (moved > 10).float()
    overlap = 2 * (bright * moved_targets).sum() / (bright.sum() + 3 * moved_targets.sum())
    assert overlap > 0.95
    assert not torch.equal(moved_targets, targets)
    assert set(moved_targets.unique().tolist()) == {0.0, 1.0}
    again, _ = augment(images, targets, torch.Generator().manual_seed(1))
    assert torch.equal(moved, again)


def test_cases_without_tumour_in_view_cannot_be_trained_on(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset)
    empty = np.zeros(tiny.GRID.shape, np.uint8)
    nib.save(nib.Nifti1Image(empty.T, tiny.GRID.nifti_affine), dataset.root / case.annotation("nii.gz"))
    with pytest.raises(UserError, match="No slice of the training cases holds tumour"):
        load_training_data(dataset, [case], SPEC)


def test_a_mask_on_another_grid_is_named(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset)
    nib.save(
        nib.Nifti1Image(np.ones((48, 48, 5), np.uint8), tiny.GRID.nifti_affine),
        dataset.root / case.annotation("nii.gz"),
    )
    with pytest.raises(UserError, match="mask and study of sub-0001"):
        load_training_data(dataset, [case], SPEC)


def test_an_image_with_nan_is_refused(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset)
    path = dataset.root / case.dwi("nii.gz")
    image = nib.load(path)
    values = np.asarray(image.dataobj)
    values[3, 3, 3, 0] = np.nan
    nib.save(nib.Nifti1Image(values, image.affine), path)
    with pytest.raises(UserError, match="not finite"):
        load_training_data(dataset, [case], SPEC)


def test_planes_are_not_mixed(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    cases = [
        tiny.add(dataset, seed=1),
        tiny.add(dataset, seed=2, geometry=grid("axial", (6, 48, 48), (5, 4, 4))),
    ]
    with pytest.raises(UserError, match="sub-0001 is sagittal, sub-0002 is axial"):
        load_training_data(dataset, cases, SPEC)
