"""Masks that were replaced: kept, chained, never overwritten, whatever kills the run."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.nifti import read_mask, write_mask
from uteroseg.imaging.study import Mask
from uteroseg.training.cache import prepare_case


@pytest.fixture
def dataset(tmp_path):
    return Dataset.open_or_create(tmp_path / "data")


def grown(mask, number):
    """Another mask on the same grid."""
    return Mask(mask.data | (np.arange(mask.data.size).reshape(mask.data.shape) < number), mask.geometry)


def kept(dataset, case):
    """Versions in the history, in their order: folder name and mask."""
    folders = sorted((dataset.root / case.history).iterdir())
    return [(one.name, read_mask(next(one.glob("*.nii.gz"))).data) for one in folders]


def sidecar(dataset, case):
    return read_json(dataset.root / case.annotation("json"))


def test_a_mask_that_is_replaced_is_kept_with_its_sidecar_and_named_as_parent(dataset):
    case = tiny.add(dataset)
    first, old = dataset.load_mask(case), sidecar(dataset, case)
    dataset.replace_mask(case, grown(first, 9), {"reader": "B"})
    new = sidecar(dataset, case)
    assert (new["reader"], new["parent"]) == ("B", old["version"])
    assert old["parent"] is None
    np.testing.assert_array_equal(dataset.load_mask(case).data, grown(first, 9).data)
    [(name, data)] = kept(dataset, case)
    assert name == f"0001-{old['version']}"
    np.testing.assert_array_equal(data, first.data)
    assert read_json(next((dataset.root / case.history).glob("*/*.json"))) == old


def test_going_back_and_forth_makes_a_version_each_time(dataset):
    case = tiny.add(dataset)
    one = dataset.load_mask(case)
    two = grown(one, 9)
    for mask in (two, one, two, one):
        dataset.replace_mask(case, mask, {})
    names = [name for name, _ in kept(dataset, case)]
    assert [name[:4] for name in names] == ["0001", "0002", "0003", "0004"]
    assert len({name[5:] for name in [*names, f"0005-{sidecar(dataset, case)['version']}"]}) == 5


def test_the_same_voxels_are_the_same_mask(dataset):
    case = tiny.add(dataset)
    mask = dataset.load_mask(case)
    assert dataset.same_mask(case, mask)
    assert not dataset.same_mask(case, grown(mask, 5))
    elsewhere = grid("sagittal", mask.geometry.shape, (5, 4, 4), (0, 0, 0))
    assert not dataset.same_mask(case, Mask(mask.data, elsewhere))


def test_an_annotation_is_not_overwritten_by_adding_one(dataset):
    case = tiny.add(dataset)
    with pytest.raises(UserError, match="already"):
        dataset.add_mask(case, dataset.load_mask(case), {})
    bare = tiny.add(dataset, seed=2, with_mask=False)
    dataset.add_mask(bare, dataset.load_mask(case), {})
    assert not (dataset.root / bare.history).exists()


def test_a_readers_mask_has_versions_too(dataset):
    case = tiny.add(dataset)
    mask = dataset.load_mask(case)
    dataset.add_mask(case, mask, {}, reader="R2")
    dataset.replace_mask(case, grown(mask, 5), {}, reader="R2")
    [file] = (dataset.root / case.history).glob("*/*.nii.gz")
    assert file.name == case.readers_annotation("R2").name
    assert dataset.same_mask(case, mask)


def test_a_mask_of_another_grid_replaces_nothing(dataset):
    case = tiny.add(dataset)
    _, other = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))
    with pytest.raises(UserError, match="grids differ"):
        dataset.replace_mask(case, other, {})
    assert not (dataset.root / case.history).exists()


def test_a_mask_of_before_versions_gets_one_when_it_is_replaced(dataset):
    case = tiny.add(dataset)
    stated = sidecar(dataset, case)["version"]
    (dataset.root / case.annotation("json")).write_text('{"reader": "A"}')
    dataset.replace_mask(case, grown(dataset.load_mask(case), 5), {})
    assert sidecar(dataset, case)["parent"] == stated


def test_a_mask_that_was_edited_in_its_place_is_a_version_after_the_one_its_sidecar_names(dataset):
    case = tiny.add(dataset)
    stated, mask = sidecar(dataset, case)["version"], dataset.load_mask(case)
    write_mask(dataset.root / case.annotation("nii.gz"), grown(mask, 5))
    dataset.replace_mask(case, grown(mask, 9), {})
    [(name, data)] = kept(dataset, case)
    np.testing.assert_array_equal(data, grown(mask, 5).data)
    assert stated not in name
    assert sidecar(dataset, case)["parent"] == name[5:]


@pytest.mark.parametrize("damage", ["mask", "sidecar", "no sidecar"])
def test_a_damaged_annotation_is_kept_as_it_is(dataset, damage):
    case = tiny.add(dataset)
    mask = dataset.load_mask(case)
    file = dataset.root / case.annotation("nii.gz" if damage == "mask" else "json")
    file.unlink() if damage == "no sidecar" else file.write_bytes(b"damaged")
    dataset.replace_mask(case, mask, {})
    [folder] = (dataset.root / case.history).iterdir()
    kept_file = folder / file.name
    assert damage == "no sidecar" or kept_file.read_bytes() == b"damaged"
    assert dataset.same_mask(case, mask)


@pytest.mark.parametrize("steps", range(4))
def test_a_kill_at_any_point_loses_no_mask_and_the_same_command_completes_it(dataset, monkeypatch, steps):
    """Killed before any rename below the dataset: of the kept version's folder, the sidecar or the mask."""
    case = tiny.add(dataset)
    one = dataset.load_mask(case)
    two, replace, done = grown(one, 9), Path.replace, 0

    def dying(self, target):
        nonlocal done
        done += ".incoming" not in str(target)
        if done > steps:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    if steps < 3:
        with pytest.raises(KeyboardInterrupt):
            dataset.replace_mask(case, two, {"reader": "B"})
    else:
        dataset.replace_mask(case, two, {"reader": "B"})
    monkeypatch.undo()
    again = Dataset.open_or_create(dataset.root)
    current = again.load_mask(case).data
    assert np.array_equal(current, one.data) or np.array_equal(current, two.data)
    history = kept(again, case) if (again.root / case.history).exists() else []
    assert any(np.array_equal(data, one.data) for data in (current, *(data for _, data in history)))
    if not again.same_mask(case, two):
        again.replace_mask(case, two, {"reader": "B"})
    [(name, data)] = kept(again, case)  # once, however often it was begun
    np.testing.assert_array_equal(data, one.data)
    assert sidecar(again, case)["parent"] == name[5:]
    assert sidecar(again, case)["reader"] == "B"
    assert again.same_mask(case, two)


def test_a_version_is_never_written_over(dataset):
    case = tiny.add(dataset)
    mask = dataset.load_mask(case)
    dataset.replace_mask(case, grown(mask, 3), {})
    before = {p: p.read_bytes() for p in (dataset.root / case.history).rglob("*") if p.is_file()}
    for number in range(4, 8):
        dataset.replace_mask(case, grown(mask, number), {})
    assert (
        before.items()
        <= {p: p.read_bytes() for p in (dataset.root / case.history).rglob("*") if p.is_file()}.items()
    )


def test_what_was_prepared_of_a_case_and_the_fingerprint_notice_another_mask(dataset):
    from uteroseg.model.spec import ModelSpec

    case, spec = tiny.add(dataset), ModelSpec(spacing_mm=4.0, matrix=(48, 48))
    before, print_before = prepare_case(dataset, case, spec), dataset.fingerprint()
    dataset.replace_mask(case, grown(dataset.load_mask(case), 500), {})
    after = prepare_case(dataset, case, spec)
    assert after.key != before.key
    assert dataset.fingerprint() != print_before
    assert not np.array_equal(after.slices[:, 3], before.slices[:, 3])


def test_the_sidecar_is_json_that_says_version_and_parent_of_every_mask_written(dataset):
    case = tiny.add(dataset)
    fields = json.loads((dataset.root / case.annotation("json")).read_text("utf-8"))
    assert fields["reader"] == "A"
    assert len(fields["version"]) == 16
    assert fields["parent"] is None
