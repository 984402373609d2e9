import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.dicom.scan import Scan, Series, scan_folder
from uteroseg.dicom.studies import FoundStudy, find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

from .build import DIALECTS, SLICE_STEP, Recipe, edit, truncate, voxels, write_series

ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
T2 = ("ORIGINAL", "PRIMARY", "M", "NORM")

PARTS: dict[str, Callable[[float, int], object]] = {
    "slice": lambda b, s: s,
    "image": lambda b, s: (b, s),
    "half of the slices": lambda b, s: s > 2,
    "every second slice": lambda b, s: s % 2,
    "b-value and half": lambda b, s: (b, s > 1),
    "slice, but one b-value apart": lambda b, s: s if b else "b 0",
    "one slice apart": lambda b, s: s == 2,
}


def found(folder: Path) -> tuple[FoundStudy, ...]:
    return find_studies(scan_folder(folder))


def only(folder: Path) -> tuple[FoundStudy, DwiStudy]:
    (study,) = found(folder)
    return study, load_study(study.used)


def refusal(folder: Path) -> str:
    (study,) = found(folder)
    with pytest.raises(UserError) as caught:
        load_study(study.used)
    return str(caught.value)


def uids(folder: Path) -> str:
    return " ".join(sorted({one.series_uid for one in scan_folder(folder).series}))


def moved(slices: float) -> Callable[[object], None]:
    """Put an axial image that many slices further along the normal."""

    def move(ds) -> None:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, float(z) + slices * SLICE_STEP]

    return move


def setting(**values: object) -> Callable[[object], None]:
    def change(ds) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


@pytest.mark.parametrize("parts", PARTS)
def test_an_acquisition_in_parts_is_one_study(parts: str, tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(series_of=PARTS[parts]))
    study, loaded = only(tmp_path)
    np.testing.assert_array_equal(loaded.signal, [[voxels(b, s) for s in range(5)] for b in (0, 500, 1000)])
    assert study.series_uids == uids(tmp_path)
    assert set(" ".join(study.parts).split()) == set(study.series_uids.split())
    assert len(study.parts) > 1
    assert "were joined" in " ".join(study.notes)
    assert [use.used for use in study.uses] == [True]


def test_a_series_uid_for_each_b_value_is_what_it_was(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(series_of=lambda b, s: b))
    study, _ = only(tmp_path)
    assert (study.series_uids, study.parts, study.notes) == (uids(tmp_path), (), ())
    assert len(study.dwi) == 3


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("parts", ["slice", "image"])
def test_every_dialect_in_parts_is_one_study(dialect: str, parts: str, tmp_path: Path) -> None:
    manufacturer, write, source = DIALECTS[dialect]
    recipe = Recipe(manufacturer=manufacturer, dialect=write, series_of=PARTS[parts], slices=3)
    write_series(tmp_path, recipe)
    _, loaded = only(tmp_path)
    np.testing.assert_array_equal(loaded.signal, [[voxels(b, s) for s in range(3)] for b in (0, 500, 1000)])
    assert loaded.acquisition["b_value_source"] == source


@pytest.mark.parametrize("orientation", ["sagittal", "oblique", "negated columns"])
def test_parts_in_any_plane_and_order_are_one_study(orientation: str, tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(orientation=orientation, descending=True, series_of=PARTS["image"]))
    assert only(tmp_path)[1].signal.shape[:2] == (3, 5)


@pytest.mark.parametrize("image_type", [("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"), T2])
def test_b_0_without_any_sign_of_diffusion_joins_the_series_of_its_name(
    image_type: Sequence[str], tmp_path: Path
) -> None:
    manufacturer, write, _ = DIALECTS["Canon"]
    write_series(
        tmp_path,
        Recipe(
            manufacturer=manufacturer,
            dialect=write,
            image_type=image_type,
            description="t2 brain" if image_type == T2 else "brain",
            series_of=PARTS["image"],
        ),
    )
    assert only(tmp_path)[1].b_values == (0, 500, 1000)


def test_b_values_that_only_the_description_lists_are_found_in_parts(tmp_path: Path) -> None:
    recipe = Recipe(dialect=lambda ds, b: None, description="DWI B0/500/1000", series_of=PARTS["image"])
    write_series(tmp_path, recipe)
    assert only(tmp_path)[1].b_values == (0, 500, 1000)


def test_directions_in_parts_combine(tmp_path: Path) -> None:
    directions = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    files = write_series(tmp_path, Recipe(b_values=(0, 800), directions=directions))
    for path in files:
        edit(path, lambda ds: setattr(ds, "SeriesInstanceUID", generate_uid()))
    assert only(tmp_path)[1].signal.shape[:2] == (2, 5)


@pytest.fixture(scope="module")
def repeats(tmp_path_factory: pytest.TempPathFactory) -> list[Series]:
    """Two acquisitions of one examination, each in one series; the second is darker."""
    folder = tmp_path_factory.mktemp("repeats")
    first = Recipe(b_values=(0, 800))
    write_series(folder / "a", first)
    write_series(folder / "b", replace(first, number=8, adjust=_darker))
    return list(scan_folder(folder).series)


def _darker(ds) -> None:
    ds.PixelData = (ds.pixel_array // 2).astype(np.uint16).tobytes()


def _parted(series: Series, labels: Sequence[int], number: int) -> list[Series]:
    """The images of a series, one for each label, under a UID for each number."""
    chosen = {n: [i for i, label in enumerate(labels) if label == n] for n in sorted(set(labels))}
    return [
        replace(
            series,
            series_uid=f"1.{number}.{n}",
            files=tuple(series.files[i] for i in indices),
            headers=tuple(series.headers[i] for i in indices),
        )
        for n, indices in chosen.items()
    ]


@given(labels=st.lists(st.integers(0, 9), min_size=10, max_size=10), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_any_division_into_series_is_one_study(repeats: list[Series], labels: list[int], seed: int) -> None:
    parts = _parted(repeats[0], labels, 1)
    random.Random(seed).shuffle(parts)
    (study,) = find_studies(Scan(tuple(parts), ()))
    assert study.series_uids == " ".join(sorted(part.series_uid for part in parts))
    expected = load_study(repeats[:1])
    assert (load_study(study.used).signal == expected.signal).all()


@given(labels=st.lists(st.integers(0, 9), min_size=20, max_size=20))
@settings(max_examples=20, deadline=None)
def test_any_division_of_two_repeats_is_two_studies(repeats: list[Series], labels: list[int]) -> None:
    parts = [_parted(one, labels[10 * n : 10 * n + 10], n + 1) for n, one in enumerate(repeats)]
    studies = find_studies(Scan((*parts[0], *parts[1]), ()))
    assert [one.series_uids for one in studies] == [
        " ".join(sorted(part.series_uid for part in own)) for own in parts
    ]
    for one, whole in zip(studies, repeats, strict=True):
        assert (load_study(one.used).signal == load_study([whole]).signal).all()


REPEATS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "series number": ({"SeriesNumber": 3}, {"SeriesNumber": 8}),
    "acquisition number": ({"AcquisitionNumber": 2}, {"AcquisitionNumber": 10}),
    "acquisition time": ({"AcquisitionTime": "093011.5"}, {"AcquisitionTime": "101112"}),
}


@pytest.mark.parametrize("told_by", REPEATS)
@pytest.mark.parametrize("parts", ["slice", "image"])
def test_two_repeats_in_parts_stay_two(told_by: str, parts: str, tmp_path: Path) -> None:
    first = Recipe(series_of=PARTS[parts])
    for name, values in zip("ab", REPEATS[told_by], strict=True):
        write_series(tmp_path / name, replace(first, adjust=setting(**values)))
    studies = found(tmp_path)
    assert sorted(one.folder.name for one in studies) == ["a", "b"]
    assert all(load_study(one.used).signal.shape[:2] == (3, 5) for one in studies)


def test_repeats_with_a_number_for_each_slice_are_told_by_their_order(tmp_path: Path) -> None:
    first = Recipe(series_of=PARTS["slice"])
    for name, start in (("a", 10), ("b", 50)):
        for path in write_series(tmp_path / name, first):
            number = start + int(path.name) % 5
            edit(path, lambda ds, number=number: setattr(ds, "SeriesNumber", number))
    assert sorted(one.folder.name for one in found(tmp_path)) == ["a", "b"]


def test_a_whole_acquisition_and_a_repeat_in_parts_stay_two(tmp_path: Path) -> None:
    first = Recipe(number=3)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, number=8, series_of=PARTS["slice"]))
    studies = found(tmp_path)
    assert [one.folder.name for one in studies] == ["a", "b"]
    assert [len(one.parts) for one in studies] == [0, 5]


def test_repeats_that_nothing_tells_apart_are_refused_with_both_named(tmp_path: Path) -> None:
    first = Recipe(series_of=PARTS["slice"])
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", first)
    message = refusal(tmp_path)
    assert "series 3 (DWI) of 10 Series Instance UIDs" in message
    assert str(tmp_path / "a" / "0000") in message
    assert str(tmp_path / "b" / "0000") in message


def test_repeats_measured_in_turn_are_never_averaged(tmp_path: Path) -> None:
    """Different times make images repetitions within a series, not between series."""
    first = Recipe(series_of=PARTS["image"])
    for turn, name in enumerate("ab"):
        for path in write_series(tmp_path / name, first):
            time = f"10{int(path.name):02d}{10 + turn}"
            edit(path, lambda ds, time=time: setattr(ds, "AcquisitionTime", time))
    message = refusal(tmp_path)
    assert f"{tmp_path / 'a' / '0000'} and {tmp_path / 'b' / '0000'} have one place" in message


def test_a_missing_slice_is_a_gap_in_one_study(tmp_path: Path) -> None:
    for path in write_series(tmp_path, Recipe(series_of=PARTS["slice"]))[2::5]:
        path.unlink()
    assert "has a gap at every b-value: 8.00 mm between" in refusal(tmp_path)


def test_a_missing_image_is_named_and_its_b_value_left_out_on_request(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(series_of=PARTS["image"]))[7].unlink()
    assert "no image for b 500 at (-30.0, 20.0, -47.0) mm" in refusal(tmp_path)
    (study,) = found(tmp_path)
    assert load_study(study.used, ReadOptions(drop_incomplete=True)).b_values == (0, 1000)


def test_an_unreadable_image_is_named_once(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(series_of=PARTS["image"]))
    truncate(files[7], 400)
    assert f"{files[7]} cannot be read" in refusal(tmp_path)


def test_a_b_value_that_lacks_a_slice_is_named(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(series_of=lambda b, s: b))[14].unlink()
    files = [path for path in tmp_path.iterdir() if int(path.name) < 5 or int(path.name) > 9]
    for path in set(tmp_path.iterdir()) - set(files):
        path.unlink()
    assert "no image for b 1000 at (-30.0, 20.0, -39.0) mm" in refusal(tmp_path)


def test_a_slice_that_comes_again_in_a_series_of_its_own_is_refused_with_both_files(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(series_of=PARTS["slice"]))
    uid = generate_uid()
    for path in files[2::5]:
        again = shutil.copy(path, tmp_path / f"{path.name}-again")
        edit(
            again,
            lambda ds: (setattr(ds, "SOPInstanceUID", generate_uid()), setattr(ds, "SeriesInstanceUID", uid)),
        )
    message = refusal(tmp_path)
    assert f"twice: {files[2]} and {files[2]}-again" in message


@pytest.mark.parametrize(("apart", "reason"), [(4, "mm twice: "), (6, "has a gap"), (-3, "mm twice: ")])
def test_stacks_that_overlap_or_leave_a_gap_are_refused_with_both_named(
    apart: int, reason: str, tmp_path: Path
) -> None:
    first = Recipe(number=3, description="upper")
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, number=4, description="lower", adjust=moved(apart)))
    message = refusal(tmp_path)
    assert "series 3 (upper) and series 4 (lower) neither fill one grid nor repeat one another" in message
    assert reason in message


@pytest.mark.parametrize(
    "difference",
    [
        {"adjust": moved(0.3)},  # planned anew
        {"adjust": moved(0.5)},  # its slices lie between the others', and overlap them
        {"adjust": moved(40)},  # elsewhere in the body
        {"slices": 3},  # a repeat of fewer slices
        {"b_values": (0, 50), "adjust": moved(3)},  # another protocol
        {"adjust": lambda ds: setattr(ds, "ImagePositionPatient", [0, *ds.ImagePositionPatient[1:]])},
    ],
    ids=["off the lattice", "half a slice", "far", "fewer slices", "other b-values", "aside"],
)
def test_whole_stacks_that_are_clearly_others_stay_two(difference: dict[str, object], tmp_path: Path) -> None:
    first = Recipe(number=3)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, number=4, **difference))  # type: ignore[arg-type]
    studies = found(tmp_path)
    assert [one.folder.name for one in studies] == ["a", "b"]
    assert [one.parts for one in studies] == [(), ()]
    assert all(load_study(one.used) for one in studies)


@pytest.mark.parametrize("apart", [0, 30])
def test_single_slices_that_are_studies_of_their_own_stay_so(apart: int, tmp_path: Path) -> None:
    first = Recipe(slices=1)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, adjust=moved(apart)))
    assert sorted(one.folder.name for one in found(tmp_path)) == ["a", "b"]


def test_a_b_value_again_beside_a_whole_study_is_left_out_in_parts_too(tmp_path: Path) -> None:
    first = Recipe(b_values=(0, 800), number=3)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, b_values=(0,), number=4, series_of=PARTS["slice"]))
    (study,) = found(tmp_path)
    assert [one.number for one in study.dwi] == [3]
    assert {use.reason for use in study.uses if not use.used} == {"its b-values are there already: 0 s/mm²"}


@pytest.mark.parametrize(
    "other",
    [
        {"FrameOfReferenceUID": "1.2.3"},
        {"EchoTime": 90},
        {"Rows": 10, "Columns": 12},
        {"PixelSpacing": [1, 1]},
    ],
)
def test_slices_that_differ_in_more_than_their_place_are_not_joined(
    other: dict[str, object], tmp_path: Path
) -> None:
    files = write_series(tmp_path, Recipe(series_of=PARTS["half of the slices"]))
    for path in (path for path in files if int(path.name) % 5 > 2):
        edit(path, setting(**other))
    assert len(found(tmp_path)) == 2


def test_the_scanners_map_and_t2_in_parts_are_one_series_each(tmp_path: Path) -> None:
    dwi = Recipe(series_of=PARTS["image"])
    write_series(tmp_path / "dwi", dwi)
    write_series(tmp_path / "adc", replace(dwi, b_values=(0,), image_type=ADC, number=4))
    t2 = replace(dwi, b_values=(0,), image_type=T2, description="t2", dialect=lambda ds, b: None, number=1)
    write_series(tmp_path / "t2", t2)
    study, loaded = only(tmp_path)
    assert loaded.scanner_adc is not None
    assert [(use.series.number, use.used, len(use.series.files)) for use in study.uses] == [
        (1, False, 5),
        (3, True, 15),
        (4, True, 5),
    ]


def test_two_maps_in_parts_go_to_the_acquisitions_before_them(tmp_path: Path) -> None:
    first = Recipe(b_values=(0, 800), series_of=PARTS["image"])
    for number, image_type in ((3, first.image_type), (4, ADC), (8, first.image_type), (9, ADC)):
        b_values = (0,) if image_type == ADC else (0, 800)
        recipe = replace(first, number=number, image_type=image_type, b_values=b_values)
        write_series(tmp_path / str(number), recipe)
    assert [([s.number for s in f.dwi], f.adc and f.adc.number) for f in found(tmp_path)] == [
        ([3], 4),
        ([8], 9),
    ]


STUDIES: dict[str, Callable[[int], bool]] = {
    "a b-value": lambda number: number >= 10,
    "half of the slices": lambda number: number % 5 > 2,
    "one image": lambda number: number == 7,
}


def second_study(files: Sequence[Path], chosen: Callable[[int], bool], **values: object) -> None:
    study, series = generate_uid(), generate_uid()
    for path in files:
        if chosen(int(path.name)):
            edit(path, setting(StudyInstanceUID=study, SeriesInstanceUID=series, **values))


@pytest.mark.parametrize("part", STUDIES)
def test_an_acquisition_under_two_study_uids_is_one_and_said(part: str, tmp_path: Path) -> None:
    recipe = Recipe()
    second_study(write_series(tmp_path, recipe), STUDIES[part])
    study, loaded = only(tmp_path)
    np.testing.assert_array_equal(loaded.signal, [[voxels(b, s) for s in range(5)] for b in (0, 500, 1000)])
    assert study.study_uid == recipe.study_uid  # of most of its images
    assert "under 2 Study Instance UIDs" in " ".join(study.notes)


@pytest.mark.parametrize(
    "other", [{"StudyDate": "20200103"}, {"PatientID": "SECOND"}, {"FrameOfReferenceUID": "1.2.3"}]
)
def test_another_patient_day_or_place_is_another_study(other: dict[str, object], tmp_path: Path) -> None:
    second_study(write_series(tmp_path, Recipe()), STUDIES["half of the slices"], **other)
    assert len(found(tmp_path)) == 2


def test_two_whole_studies_of_one_day_stay_two_with_their_own_series(tmp_path: Path) -> None:
    first = Recipe()
    write_series(tmp_path / "a", first)
    second = replace(first, study_uid=generate_uid())
    write_series(tmp_path / "b", second)
    write_series(
        tmp_path / "t2", replace(second, image_type=T2, description="t2", dialect=lambda ds, b: None)
    )
    studies = {one.study_uid: one for one in found(tmp_path)}
    assert [len(studies[uid].uses) for uid in (first.study_uid, second.study_uid)] == [1, 2]
    assert not any(one.notes for one in studies.values())


def test_a_localizer_in_the_series_is_left_out_and_said(tmp_path: Path) -> None:
    recipe = Recipe(b_values=(0, 800))
    files = write_series(tmp_path / "a", recipe)
    uid = scan_folder(files[0]).series[0].series_uid
    localizer = replace(recipe, b_values=(0,), slices=3, orientation="sagittal")
    for path in write_series(tmp_path / "b", localizer):
        edit(path, lambda ds: setattr(ds, "SeriesInstanceUID", uid))
    study, loaded = only(tmp_path)
    assert loaded.signal.shape[:2] == (2, 5)
    assert study.notes == ("series 3 (DWI) holds 3 images of other planes, which are not used.",)
    assert study.series_uids == uid


def test_a_slice_whose_geometry_is_damaged_is_no_other_plane(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    edit(files[6], lambda ds: setattr(ds, "PixelSpacing", [2.1, 1.5]))
    assert "mixes grids" in refusal(tmp_path)
