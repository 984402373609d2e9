"""Results that are kept as records and table alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from uteroseg.errors import UserError
from uteroseg.experiment.report.page import write_report
from uteroseg.experiment.results import read_experiment, write_results

from .report.experiments import write_experiment

COMMITTED = Path(__file__).parents[2] / "docs" / "results" / "reduced"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_experiment(
        tmp_path_factory.mktemp("whole"), sizes=(0, 5, 13), strategies=("all", "joint"), seeds=(1, 2)
    )
    write_results(read_experiment(folder))
    return folder


@pytest.fixture
def kept(whole: Path, tmp_path: Path) -> Path:
    for name in ("results.parquet", "runs.jsonl"):
        shutil.copy(whole / name, tmp_path / name)
    return tmp_path


def test_records_and_table_are_an_experiment(whole: Path, kept: Path) -> None:
    expected, found = read_experiment(whole), read_experiment(kept)
    assert [run.record.model_copy(update={"overlays": {}}) for run in expected.runs] == [
        run.record for run in found.runs
    ]
    assert found.unfinished == 0
    order = ["run", "test_set", "case"]
    pd.testing.assert_frame_equal(
        expected.cases.sort_values(order, ignore_index=True),
        found.cases.sort_values(order, ignore_index=True),
    )


def test_their_report_is_that_of_the_runs(whole: Path, kept: Path) -> None:
    write_report(whole)
    write_report(kept)
    assert (kept / "summary.json").read_bytes() == (whole / "summary.json").read_bytes()
    html = (kept / "report.html").read_text("utf-8")
    assert "There are no pictures" in html
    for folder in (whole / "runs").iterdir():
        shutil.copytree(folder / "overlays", kept / "runs" / folder.name / "overlays")
    write_report(kept)
    assert (kept / "report.html").read_bytes() == (whole / "report.html").read_bytes()


def test_runs_count_before_what_is_kept_of_them(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    for folder in list((tmp_path / "copy" / "runs").iterdir())[1:]:
        shutil.rmtree(folder)
    assert len(read_experiment(tmp_path / "copy").runs) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], r"does not hold the runs of runs.jsonl \(1 differ\)"),
        (lambda lines: [*lines[:2], b"{", *lines[3:]], r"runs.jsonl, line 3 is not the record of a run"),
        (
            lambda lines: [lines[0].replace(b'"seed":1', b'"seed":7'), *lines[1:]],
            "says seed 1, but runs.jsonl",
        ),
        (lambda lines: [*lines, lines[0]], "does not belong beside"),
    ],
)
def test_records_that_do_not_fit_the_table_are_refused(kept: Path, change: object, said: str) -> None:
    path = kept / "runs.jsonl"
    path.write_bytes(b"\n".join(change(path.read_bytes().splitlines())))  # type: ignore[operator]
    with pytest.raises(UserError, match=said):
        read_experiment(kept)


@pytest.mark.parametrize("content", [b"", b"PAR1 no table PAR1"])
def test_a_table_that_is_none_is_refused(kept: Path, content: bytes) -> None:
    (kept / "results.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"results\.parquet cannot be read"):
        read_experiment(kept)


def test_an_impossible_value_is_refused_with_its_row(kept: Path) -> None:
    table = pd.read_parquet(kept / "results.parquet")
    table.loc[4, "dsc"] = 1.5
    table.to_parquet(kept / "results.parquet")
    with pytest.raises(UserError, match=r"has '1.5' in column 'dsc', row 5"):
        read_experiment(kept)


@pytest.mark.slow
def test_the_committed_results_give_their_report_again(tmp_path: Path) -> None:
    shutil.copytree(COMMITTED, tmp_path / "copy")
    committed = (COMMITTED / "report.html").read_text("utf-8")
    written = write_report(tmp_path / "copy").read_text("utf-8")
    assert _without_figures(written) == _without_figures(committed)


def _without_figures(html: str) -> str:
    """Figures may change with matplotlib's version."""
    before, _, rest = html.partition("<svg ")
    return before + rest.partition("</svg>")[2]
