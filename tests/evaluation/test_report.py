import csv
import json
import re
from functools import partial

import pytest
from PIL import Image

from tests import tiny
from tests.evaluation.folders import near, write_flat
from tests.evaluation.test_summary import strict
from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.assess import assess
from uteroseg.evaluation.predictions import Predictions
from uteroseg.evaluation.report import write_evaluation
from uteroseg.evaluation.summary import summarise

FIGURES = {"dsc_by_cohort", "bland_altman", "overlays"}


def write(folder, dataset, assessed):
    folder.mkdir()
    write_evaluation(folder, dataset, assessed.rows, assessed.summary, partial(near, dataset))
    return folder


@pytest.fixture(scope="module")
def assessed(tiny_cohorts, tmp_path_factory):
    folder = write_flat(tmp_path_factory.mktemp("p"), tiny_cohorts, tiny_cohorts.cases())
    return assess(tiny_cohorts, Predictions.find(folder))


@pytest.fixture(scope="module")
def written(tiny_cohorts, assessed, tmp_path_factory):
    return write(tmp_path_factory.mktemp("evaluation") / "e", tiny_cohorts, assessed)


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_tables_for_machines_and_papers_and_figures_are_written(written, assessed):
    figures = {f"figures/{name}.{ending}" for name in FIGURES for ending in ("svg", "png")}
    assert names(written) == {"cases.csv", "summary.json", "table.md", "table.tex"} | figures
    assert strict(json.loads((written / "summary.json").read_text())) == json.loads(
        json.dumps(assessed.summary)
    )
    with (written / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["dsc"]) for row in rows] == [row["dsc"] for row in assessed.rows]
    assert {row["expected_dsc"] for row in rows} == {""}
    for name in ("table.md", "table.tex"):
        assert "Research use, not for diagnosis." in (written / name).read_text()


def test_every_figure_says_that_the_patients_are_virtual_and_what_it_is_for(written):
    for path in (written / "figures").glob("*.svg"):
        text = " ".join(re.findall(r">([^<>]+)</(?:text|tspan)>", path.read_text()))
        assert "The patients are virtual" in text
        assert "not for diagnosis." in text


def test_figures_are_the_same_from_the_same_numbers(written, tiny_cohorts, assessed, tmp_path):
    again = write(tmp_path / "e", tiny_cohorts, assessed)
    for name in names(written):
        assert (again / name).read_bytes() == (written / name).read_bytes(), name


def test_pictures_are_large_enough_for_print(written):
    for path in (written / "figures").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width >= 800


def test_a_case_that_is_worst_median_and_best_is_shown_once(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset, seed=1, split="test")
    assessed = assess(dataset, Predictions.find(write_flat(tmp_path / "p", dataset, [case])))
    svg = (write(tmp_path / "e", dataset, assessed) / "figures" / "overlays.svg").read_text()
    assert "Worst, median, best: DSC" in svg
    assert svg.count("<image") == 1
    assert svg.count(str(case)) == 1


def test_the_worst_median_and_best_case_are_named(written, assessed):
    svg = (written / "figures" / "overlays.svg").read_text()
    ranked = sorted(row["dsc"] for row in assessed.rows)
    for place, dsc in (("Worst", ranked[0]), ("Median", ranked[1]), ("Best", ranked[3])):
        assert f">{place}: DSC {dsc:.2f}<" in svg


def test_the_expected_dsc_has_a_figure_where_it_is_stated(tiny_cohorts, assessed, tmp_path):
    (tmp_path / "e").mkdir()
    rows = [{**row, "expected_dsc": 0.5} for row in assessed.rows]
    write_evaluation(tmp_path / "e", tiny_cohorts, rows, assessed.summary, partial(near, tiny_cohorts))
    assert {path.stem for path in (tmp_path / "e" / "figures").iterdir()} == FIGURES | {"expected_dsc"}


def test_nothing_measured_has_tables_and_no_figures(tiny_cohorts, tmp_path):
    (tmp_path / "e").mkdir()
    write_evaluation(tmp_path / "e", tiny_cohorts, [], summarise([], tolerance_mm=2), None)
    assert names(tmp_path / "e") == {"cases.csv", "summary.json", "table.md", "table.tex"}
