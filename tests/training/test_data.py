import nibabel as nib
import numpy as np
import pytest
import torch

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.model.prepare import PreparedStudy, SliceGrid, network_target
from uteroseg.model.spec import ModelSpec
from uteroseg.training.data import load_training_data

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return tiny.cohorts(tmp_path_factory.mktemp("data") / "d")


def load(dataset, cases, **options):
    return load_training_data([(dataset, cases, 1.0)], SPEC, **options)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_the_cases_slices_are_what_prediction_would_see(dataset):
    cases = dataset.annotated_cases("cervical", "train")
    told = []
    data = load(dataset, cases, on_case=lambda *args: told.append(args))
    study, mask = dataset.load_study(cases[1]), dataset.load_mask(cases[1])
    grid = SliceGrid.between(study.geometry, SPEC)
    channels = PreparedStudy(study).on_matrix(grid)
    np.testing.assert_allclose(data.slices[6:12, :3].numpy(), channels, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(data.slices[6:12, 3].numpy(), network_target(mask, grid))
    assert data.plane == "sagittal"
    assert data.statistics[1].b_values == [0.0, 1000.0]
    assert data.low_b.tolist() == [0.0] * 18
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_half_of_a_batch_holds_tumour_and_the_generator_decides_it(dataset):
    data = load(dataset, dataset.cases("cervical"))
    (first, _), (again, _), (other, _) = (data.sample(8, generator(seed)) for seed in (1, 1, 2))
    assert first[:4, 3].flatten(1).any(dim=1).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.dtype == torch.float32


def test_every_case_is_as_likely_however_many_slices_its_tumour_has(dataset):
    cases = dataset.cases("cervical")
    data = load(dataset, cases)
    drawn = data.pools[0].draw(40_000, generator(1))[:20_000]
    share = torch.bincount(drawn // 6, minlength=len(cases)) / len(drawn)
    with_tumour = data.slices[:, 3].any(-1).any(-1).view(len(cases), 6).sum(1)
    assert len(set(with_tumour.tolist())) > 1
    torch.testing.assert_close(share, torch.full((len(cases),), 1 / len(cases)), atol=0.02, rtol=0)


def test_groups_have_their_share_of_every_batch(dataset):
    groups = [
        (dataset, dataset.annotated_cases("uterine", "train"), 0.75),
        (dataset, dataset.annotated_cases("cervical", "train"), 0.25),
    ]
    data = load_training_data(groups, SPEC)
    for seed in range(5):
        slices, low_b = data.sample(16, generator(seed))
        assert len(slices) == len(low_b) == 16
        numbers = torch.cat([pool.draw(8, generator(seed)) for pool in data.pools])
        assert (numbers[:8] < 18).all()
        assert (numbers[8:] >= 18).all()
    uterine = data.slices[:18].float()
    from_uterine = [any(torch.equal(s, u) for u in uterine) for s in data.sample(16, generator(3))[0]]
    assert sum(from_uterine) == 12


def test_the_fingerprint_tells_cases_order_and_shares(dataset):
    cases = dataset.annotated_cases("cervical", "train")
    made = {
        load(dataset, cases).fingerprint,
        load(dataset, cases[::-1]).fingerprint,
        load(dataset, cases[:2]).fingerprint,
        load_training_data([(dataset, cases, 0.5)], SPEC).fingerprint,
    }
    assert len(made) == 4
    assert load(dataset, cases).fingerprint in made


def test_cases_without_tumour_in_view_cannot_be_trained_on(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset)
    empty = np.zeros(tiny.GRID.shape, np.uint8)
    nib.save(nib.Nifti1Image(empty.T, tiny.GRID.nifti_affine), dataset.root / case.annotation("nii.gz"))
    with pytest.raises(UserError, match="No slice of the training cases holds tumour"):
        load(dataset, [case])


def test_a_mask_on_another_grid_is_named(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset)
    nib.save(
        nib.Nifti1Image(np.ones((48, 48, 5), np.uint8), tiny.GRID.nifti_affine),
        dataset.root / case.annotation("nii.gz"),
    )
    with pytest.raises(UserError, match="mask and study of sub-0001"):
        load(dataset, [case])


def test_an_image_with_nan_is_refused(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset)
    path = dataset.root / case.dwi("nii.gz")
    image = nib.load(path)
    values = np.asarray(image.dataobj)
    values[3, 3, 3, 0] = np.nan
    nib.save(nib.Nifti1Image(values, image.affine), path)
    with pytest.raises(UserError, match="not finite"):
        load(dataset, [case])


def test_planes_are_not_mixed(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    cases = [
        tiny.add(dataset, seed=1),
        tiny.add(dataset, seed=2, geometry=grid("axial", (6, 48, 48), (5, 4, 4))),
    ]
    with pytest.raises(UserError, match="sub-0001 is sagittal, sub-0002 is axial"):
        load(dataset, cases)


def test_unannotated_cases_are_the_last_of_a_batch_and_any_of_their_slices_is_drawn(dataset):
    labelled, others = (
        dataset.annotated_cases("uterine", "train"),
        dataset.annotated_cases("cervical", "train"),
    )
    plain = load(dataset, labelled)
    data = load(dataset, labelled, unannotated=(dataset, others, 0.35))
    assert (data.unannotated.share, len(data.unannotated.slices), len(data.statistics)) == (0.35, 18, 6)
    assert data.unannotated.slices.tolist() == list(range(18, 36))
    assert not data.slices[18:, 3].any()
    assert data.tumour_share == pytest.approx(float(plain.slices[:, 3].double().mean()))
    slices, low_b = data.sample(8, generator(1), unannotated=3)
    assert len(slices) == len(low_b) == 8
    assert not slices[5:, 3].any()
    whole, _ = plain.sample(5, generator(1))
    assert torch.equal(slices[:5], whole)
    assert torch.equal(data.sample(8, generator(1))[0], plain.sample(8, generator(1))[0])
    drawn = data.unannotated.draw(10_000, generator(2))
    assert torch.bincount(drawn - 18).float().std() < 60


def test_the_masks_of_unannotated_cases_are_not_there_for_training(dataset, tmp_path):
    bare = tiny.cohorts(tmp_path / "bare")
    for case in bare.cases("cervical"):
        (bare.root / case.annotation("nii.gz")).unlink()
    first, second = (
        load(one, one.annotated_cases("uterine", "train"), unannotated=(one, one.cases("cervical"), 0.35))
        for one in (dataset, bare)
    )
    assert (
        first.fingerprint
        == second.fingerprint
        != load(dataset, dataset.cases("uterine", "train")).fingerprint
    )
    assert torch.equal(first.slices, second.slices)


def test_unannotated_cases_that_cannot_be_used_are_left_out_by_name(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    labelled = tiny.add(dataset, seed=1)
    axial = tiny.add(dataset, seed=2, geometry=grid("axial", (6, 48, 48), (5, 4, 4)), with_mask=False)
    scanner = tiny.add(dataset, seed=3, b_values=(50.0, 400.0, 800.0), with_mask=False)
    dark, low, broken = (tiny.add(dataset, seed=seed, with_mask=False) for seed in (4, 5, 6))
    image = nib.load(dataset.root / dark.dwi("nii.gz"))
    nib.save(
        nib.Nifti1Image(np.zeros(image.shape, np.float32), image.affine), dataset.root / dark.dwi("nii.gz")
    )
    (dataset.root / low.dwi("bval")).write_text("0 100\n")
    path = dataset.root / broken.dwi("nii.gz")
    path.write_bytes(path.read_bytes()[:1000])
    told = []
    data = load(
        dataset,
        [labelled],
        unannotated=(dataset, [axial, scanner, dark, low, broken], 0.3),
        on_case=lambda *args: told.append(args),
    )
    assert list(data.left_out) == [str(case) for case in (axial, dark, low, broken)]
    assert "It is axial" in data.left_out[str(axial)]
    assert len(data.unannotated.slices) == 6
    assert data.low_b[-1] == 50
    assert told[-1] == (6, 6)
    assert load(dataset, [labelled], unannotated=(dataset, [axial], 0.3)).unannotated is None
