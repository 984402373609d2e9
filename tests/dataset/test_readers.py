import pytest

from tests import tiny
from uteroseg.dataset.readers import cases_by_reader, readers_mask
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import write_mask


@pytest.fixture
def dataset(tmp_path):
    """Two patients; the second came twice."""
    dataset = Dataset.open_or_create(tmp_path / "d")
    tiny.add(dataset, seed=1)
    tiny.add(dataset, seed=2, patient="two")
    tiny.add(dataset, seed=3, patient="two")
    return dataset


def read(dataset, case, reader):
    write_mask(dataset.root / case.readers_annotation(reader), dataset.load_mask(case))


def test_readers_are_found_with_the_cases_that_they_read(dataset):
    first, second, again = dataset.cases()
    assert str(again) == f"{second}_acq-2"
    assert cases_by_reader(dataset, dataset.cases()) == {}
    for case, reader in ((again, "R2"), (first, "R2"), (again, "R1")):
        read(dataset, case, reader)
    for cases in (dataset.cases(), dataset.cases()[::-1]):
        assert cases_by_reader(dataset, cases) == {"R1": [again], "R2": [first, again]}
    assert list(cases_by_reader(dataset, dataset.cases())) == ["R1", "R2"]
    assert cases_by_reader(dataset, [first]) == {"R2": [first]}
    (dataset.root / again.readers_annotation("R2")).with_suffix("").with_suffix(".json").touch()
    (dataset.root / again.readers_annotation("a_b")).touch()
    assert cases_by_reader(dataset, [again]) == {"R1": [again], "R2": [again]}


def test_a_readers_mask_is_no_case_and_not_the_truth(dataset):
    case = dataset.cases()[0]
    read(dataset, case, "R2")
    assert len(dataset.cases()) == 3
    assert case.readers_annotation("R2").parent == case.annotation("nii.gz").parent
    assert case.readers_annotation("R2").name == f"{case}_label-tumour_desc-R2_mask.nii.gz"
    assert (readers_mask(dataset, "R2", case).data == dataset.load_mask(case).data).all()
    with pytest.raises(UserError, match="does not exist"):
        readers_mask(dataset, "R3", case)
