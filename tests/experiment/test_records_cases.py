from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from uteroseg.errors import UserError
from uteroseg.experiment.records import CASE_COLUMNS, read_cases, write_cases

from .rows import row


def table(path: Path, *rows: dict[str, Any], columns: tuple[str, ...] = CASE_COLUMNS) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def test_rows_survive_the_round_trip_exactly(tmp_path: Path) -> None:
    rows = [
        row(),
        row(
            case="sub-0002", participant="0007", histology="", strategy='a, "b"\nc', dsc=0.0, volume_ml=1e-17
        ),
        row(case="NA", test_set="source", cohort="Zervix", seed=-1, volume_error_ml=2 / 3),
    ]
    write_cases(tmp_path / "cases.csv", rows)
    read = read_cases(tmp_path / "cases.csv")
    assert tuple(read.columns) == CASE_COLUMNS
    assert read.to_dict("records") == rows
    assert list(tmp_path.iterdir()) == [tmp_path / "cases.csv"]


def test_rows_with_unlike_columns_are_a_programming_error(tmp_path: Path) -> None:
    without = {name: value for name, value in row().items() if name != "dsc"}
    with pytest.raises(ValueError, match=r"lacks the columns \['dsc'\]"):
        write_cases(tmp_path / "cases.csv", [without])
    with pytest.raises(ValueError, match=r"lacks the columns \['hd95_mm'\]"):
        write_cases(tmp_path / "cases.csv", [row(case="a") | {"hd95_mm": 3.5}, row(case="b")])
    assert not (tmp_path / "cases.csv").exists()


def test_further_measures_are_written_too_and_may_be_undefined(tmp_path: Path) -> None:
    further = [{"hd95_mm": 3.5, "volume_error_percent": None}, {"hd95_mm": 1.0, "volume_error_percent": 2.0}]
    write_cases(tmp_path / "cases.csv", [row(case=c) | f for c, f in zip("ab", further, strict=True)])
    table = read_cases(tmp_path / "cases.csv")
    assert list(table["hd95_mm"]) == ["3.5", "1.0"]
    assert list(table["volume_error_percent"]) == ["", "2.0"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dsc": 1.01}, "a number from 0 to 1"),
        ({"dsc": ""}, "a number from 0 to 1"),
        ({"dsc": "nan"}, "a number from 0 to 1"),
        ({"sensitivity": -0.1}, "a number from 0 to 1"),
        ({"ppv": "high"}, "a number from 0 to 1"),
        ({"volume_ml": -1}, "a number of at least 0"),
        ({"predicted_volume_ml": "inf"}, "a number of at least 0"),
        ({"volume_error_ml": "12,5"}, "a number"),
        ({"target_cases": 2.5}, "a whole number of at least 0"),
        ({"target_cases": -1}, "a whole number of at least 0"),
        ({"seed": "one"}, "a whole number"),
        ({"test_set": "pooled"}, "one of source, target"),
        ({"participant": ""}, "some text"),
        ({"case": "sub-0001"}, "each case once per run"),
    ],
)
def test_a_defect_is_refused_naming_file_column_and_row(
    tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    path = table(tmp_path / "cases.csv", row(), row(case="sub-0002") | change)
    with pytest.raises(UserError) as caught:
        read_cases(path)
    (column,) = change
    assert f"column '{column}', row 2" in caught.value.found
    assert str(path) in caught.value.found
    assert caught.value.expected == f"{expected}."


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    columns = tuple(name for name in CASE_COLUMNS if name not in ("dsc", "seed"))
    with pytest.raises(UserError, match="lacks the columns seed, dsc"):
        read_cases(table(tmp_path / "cases.csv", row(), columns=columns))


def test_a_further_column_is_kept(tmp_path: Path) -> None:
    read = read_cases(table(tmp_path / "cases.csv", row(nsd_2mm=0.5), columns=(*CASE_COLUMNS, "nsd_2mm")))
    assert read["nsd_2mm"].tolist() == ["0.5"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (",".join(CASE_COLUMNS).encode() + b"\n", "has no rows"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "cases.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=problem):
        read_cases(path)
