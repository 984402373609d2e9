import stat

import pytest

from uteroseg.dataset.identity import Pseudonyms
from uteroseg.errors import UserError


def test_the_key_lies_beside_the_dataset_and_gives_the_same_names_again(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    first = Pseudonyms.for_dataset(root, is_new=True).of("1.2.3")
    assert Pseudonyms.for_dataset(root, is_new=False).of("1.2.3") == first
    key = tmp_path / "data.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert list(root.iterdir()) == []


def test_a_run_that_only_looks_has_a_key_for_itself(tmp_path):
    looking = Pseudonyms.for_dataset(tmp_path / "data", is_new=True, write=False)
    assert looking.of("1.2.3") == looking.of("1.2.3")
    assert list(tmp_path.iterdir()) == []
    kept = Pseudonyms.for_dataset(tmp_path / "data", is_new=True)
    assert Pseudonyms.for_dataset(tmp_path / "data", is_new=False, write=False).of("1") == kept.of("1")
    with pytest.raises(UserError, match="is missing"):
        Pseudonyms.for_dataset(tmp_path / "other", is_new=False, write=False)


def test_another_key_gives_other_names(tmp_path):
    one, two = (Pseudonyms.for_dataset(tmp_path / name, is_new=True).of("1.2.3") for name in "ab")
    assert one != two
    assert "1.2.3" not in one


def test_a_lost_or_broken_key_is_an_error(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        Pseudonyms.for_dataset(tmp_path / "data", is_new=False)
    (tmp_path / "data.key").write_text("not hexadecimal")
    with pytest.raises(UserError, match="is not a key"):
        Pseudonyms.for_dataset(tmp_path / "data", is_new=False)


def test_dates_of_one_patient_shift_alike_and_into_the_past(tmp_path):
    pseudonyms = Pseudonyms.for_dataset(tmp_path / "data", is_new=True)
    first, second = (pseudonyms.shifted(date, "p") for date in ("20231230", "20240105"))
    assert (second - first).days == 6
    assert second.year < 1925
    assert pseudonyms.shifted("20231230", "another") != first


@pytest.mark.parametrize("written", ["", "20231301", "yesterday", "00010101"])
def test_what_is_no_date_is_not_shifted(tmp_path, written):
    assert Pseudonyms.for_dataset(tmp_path / "data", is_new=True).shifted(written, "p") is None
