from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.nicom import csareader
from pydicom.dataset import Dataset

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.bvalues import BValue, read_b_value
from uteroseg.dicom.csa import csa_numbers, csa_values
from uteroseg.dicom.gradient import direction, is_isotropic
from uteroseg.dicom.scan import scan_folder
from uteroseg.errors import UserError

from .build import Recipe, add_csa, csa_header, edit, siemens, siemens_csa, write_series

TAGS = {
    "EchoLinePosition": ("IS", ["64"]),
    "B_value": ("IS", ["800"]),
    "DiffusionDirectionality": ("CS", ["DIRECTIONAL"]),
    "DiffusionGradientDirection": ("FD", ["0.6", "0", "-0.8"]),
    "PhaseEncodingDirectionPositive": ("IS", []),
}
SOURCE = "Siemens CSA header (0029,1010) B_value"


def with_csa(**changes: tuple[str, list[str]]) -> Dataset:
    ds = Dataset()
    add_csa(ds, {**TAGS, **changes})
    return ds


def test_the_built_header_is_one_to_nibabel() -> None:
    tags = csareader.read(csa_header(TAGS))["tags"]
    assert {name: tag["items"] for name, tag in tags.items()} == {
        "EchoLinePosition": [64],
        "B_value": [800],
        "DiffusionDirectionality": ["DIRECTIONAL"],
        "DiffusionGradientDirection": [0.6, 0, -0.8],
        "PhaseEncodingDirectionPositive": [],
    }


def test_b_value_direction_and_directionality_are_read() -> None:
    ds = with_csa()
    assert read_b_value(ds) == BValue(800, SOURCE)
    assert direction(ds) == (0.6, 0, -0.8)
    assert not is_isotropic(ds, read_b_value(ds))
    assert is_isotropic(with_csa(DiffusionDirectionality=("CS", ["ISOTROPIC"])), None)


@pytest.mark.parametrize(
    ("b_value", "directionality", "expected"),
    [([], ["NONE"], 0), (["0"], [], 0), (["50"], ["NONE"], 50), ([], ["DIRECTIONAL"], None), ([], [], None)],
)
def test_an_absent_b_value_is_0_only_where_the_header_says_that_nothing_was_weighted(
    b_value: list[str], directionality: list[str], expected: float | None
) -> None:
    ds = with_csa(B_value=("IS", b_value), DiffusionDirectionality=("CS", directionality))
    found = read_b_value(ds)
    assert (found and found.value) == expected


def test_the_private_element_is_believed_before_it_and_the_sequence_name_after() -> None:
    ds = with_csa()
    ds.SequenceName = "*ep_b400t"
    assert read_b_value(ds) == BValue(800, SOURCE)
    siemens(ds, 1000)
    assert read_b_value(ds) == BValue(1000, "Siemens private (0019,100C)")


def test_a_csa_header_without_its_creator_counts_only_for_siemens() -> None:
    ds = Dataset()
    ds.add_new((0x0029, 0x1010), "OB", csa_header(TAGS))
    assert read_b_value(ds) is None
    ds.Manufacturer = "SIEMENS"
    assert read_b_value(ds) == BValue(800, SOURCE)


@given(st.integers(0, len(csa_header(TAGS))))
def test_a_cut_header_never_raises_nor_gives_another_value(size: int) -> None:
    ds = Dataset()
    ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", csa_header(TAGS)[:size])
    assert csa_values(ds, "B_value") in ((), ("800",))


@given(st.integers(0, len(csa_header(TAGS)) - 1), st.integers(0, 255))
def test_a_damaged_header_never_raises(at: int, byte: int) -> None:
    blob = bytearray(csa_header(TAGS))
    blob[at] = byte
    ds = Dataset()
    ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", bytes(blob))
    read_b_value(ds)
    direction(ds)
    csa_numbers(ds, "DiffusionDirectionality")


def test_headers_of_images_without_diffusion_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csareader, "read", lambda blob: pytest.fail("parsed"))
    ds = with_csa(B_value=("IS", []), DiffusionDirectionality=("CS", []), Other=("LO", ["new to the cache"]))
    assert read_b_value(ds) is None


def test_text_where_numbers_belong_is_no_number() -> None:
    assert csa_numbers(with_csa(B_value=("LO", ["many"])), "B_value") == ()


def test_images_whose_csa_header_is_malformed_and_needed_are_refused_by_name(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(dialect=siemens_csa))
    edit(files[7], lambda ds: setattr(ds[0x0029, 0x1010], "value", b"SV10" + bytes(40)))
    with pytest.raises(UserError, match="b-value of 1 of 15 images") as caught:
        load_study(scan_folder(tmp_path).series)
    assert str(files[7]) in str(caught.value)


def test_a_malformed_csa_header_does_no_harm_where_it_is_not_needed(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(dialect=siemens))
    for path in files:
        edit(path, lambda ds: add_csa(ds, TAGS))
        edit(path, lambda ds: setattr(ds[0x0029, 0x1010], "value", ds[0x0029, 0x1010].value[:100]))
    assert load_study(scan_folder(tmp_path).series).b_values == (0, 500, 1000)
