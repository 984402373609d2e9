import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.bvalues import CANON_B0, BValue, complete, merge, read_b_value
from uteroseg.dicom.scan import scan_folder

from .build import DIALECTS, Recipe, siemens, write_series


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit VR", "implicit VR"])
@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_read_and_its_source_is_said(name: str, implicit: bool, tmp_path: Path) -> None:
    manufacturer, dialect, source = DIALECTS[name]
    write_series(tmp_path, Recipe(manufacturer=manufacturer, dialect=dialect, implicit=implicit))
    study = load_study(scan_folder(tmp_path).series)
    lowest = 1.0 if name.startswith("United Imaging") else 0.0
    assert study.b_values == (lowest, 500, 1000)
    assert study.acquisition["b_value_source"] == source
    assert study.signal[2, 3, 0, 0] == 2000 - 1000 + 300


def test_standard_attribute_is_believed_before_private_ones() -> None:
    ds = Dataset()
    siemens(ds, 400)
    ds.DiffusionBValue = 800.0
    assert read_b_value(ds) == BValue(800, "standard (0018,9087)")


def test_private_element_of_another_creator_is_no_b_value() -> None:
    ds = Dataset()
    ds.Manufacturer = "GE MEDICAL SYSTEMS"
    ds.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x0C, "OB", b"800 ")
    assert read_b_value(ds) is None


@pytest.mark.parametrize(("manufacturer", "value"), [("SIEMENS", 800), ("Philips", None)])
def test_private_element_without_creator_counts_only_for_its_vendor(
    manufacturer: str, value: float | None
) -> None:
    ds = Dataset()
    ds.Manufacturer = manufacturer
    ds.add_new((0x0019, 0x100C), "UN", b"800 ")
    found = read_b_value(ds)
    assert (found and found.value) == value


@pytest.mark.parametrize("name", ["*ep_b50_800", "*tse2d1_25", "b800", ""])
def test_sequence_names_without_one_b_value_give_none(name: str) -> None:
    ds = Dataset()
    ds.SequenceName = name
    assert read_b_value(ds) is None


@pytest.mark.parametrize("junk", [b"", b"abc ", b"-5", b"nan ", b"1e9 "])
def test_junk_in_a_private_element_is_no_b_value(junk: bytes) -> None:
    ds = Dataset()
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "OB", junk)
    assert read_b_value(ds) is None


def test_bytes_in_the_wrong_order_are_no_b_value() -> None:
    ds = Dataset()
    block = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "UN", struct.pack(">f", 1000))
    assert read_b_value(ds) is None


def test_no_diffusion_weighting_is_b_0() -> None:
    ds = Dataset()
    ds.DiffusionDirectionality = "NONE"
    found = read_b_value(ds)
    assert found is not None
    assert found.value == 0


def test_absent_b_value_is_0_only_for_canon_beside_images_that_have_one() -> None:
    known = BValue(1000, "standard (0018,9087)")
    assert complete([None, known], "TOSHIBA_MEC") == (CANON_B0, known)
    assert complete([None, known], "SIEMENS") == (None, known)
    assert complete([None, None], "CANON_MEC") == (None, None)


def test_near_equal_values_are_one_b_value() -> None:
    assert merge([0.001, 0, 0.002]) == {0: 0, 0.001: 0, 0.002: 0}
    assert merge([929.75, 930]) == {929.75: 930, 930: 930}
    assert set(merge([0, 10, 20, 400, 800, 1000]).values()) == {0, 10, 20, 400, 800, 1000}
    assert set(merge([995, 1000, 1004]).values()) == {1000}


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=30))
def test_merging_moves_no_value_further_than_its_tolerance(values: list[float]) -> None:
    for value, merged in merge(values).items():
        assert abs(value - merged) <= max(3, 0.01 * value) + 0.5


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=30))
def test_merging_keeps_the_order(values: list[float]) -> None:
    merged = merge(values)
    ordered = [merged[v] for v in sorted(values)]
    assert ordered == sorted(ordered)
