from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from uteroseg import RESEARCH_USE
from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.experiment.report.page import write_report
from uteroseg.experiment.report.words import VIRTUAL_LABEL

from .experiments import write_experiment, write_quick


class Page(HTMLParser):
    """Collects a page's tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def html(experiment: Path) -> str:
    return write_report(experiment).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_report_lies_in_the_folder_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_experiment(tmp_path, sizes=(0, 5))
    assert write_report(tmp_path) == tmp_path / "report.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "figures", "report.html", "runs", "summary.json", "tables"
    ]  # fmt: skip


def test_the_report_fetches_nothing(html: str, page: Page) -> None:
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    fetched = [
        value for name, value in page.attributes if name in ("src", "srcset", "data", "poster", "action")
    ]
    assert fetched
    assert all(value.startswith("data:image/png;base64,") for value in fetched)
    linked = [value for name, value in page.attributes if name in ("href", "xlink:href")]
    assert all(value.startswith("#") for value in linked)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert "@import" not in html


def test_the_pictures_are_those_of_the_run_with_the_most_target_cases(experiment: Path, html: str) -> None:
    (folder,) = (experiment / "runs").glob("ea0013*")
    for rank in ("worst", "median", "best"):
        picture = (folder / "overlays" / f"{rank}.png").read_bytes()
        assert base64.b64encode(picture).decode() in html
        assert f"{rank.capitalize()}: DSC 0." in html


def test_the_report_says_what_it_must(page: Page) -> None:
    text = " ".join(page.text.split())
    assert text.count(RESEARCH_USE) == 3, "at the top, in the checklist, at the foot"
    assert EMPTY_RULE in text
    assert "with 13 uterine cases the pooled DSC of 24 test patients rises from" in text
    assert {"truth", "prediction"} <= set(text.split())
    for said in (
        "Intel Xeon, 2 cores",
        "torch 2.11.0",
        "24 cases, the worst first",
        "10,000 resamples",
        "ea00130a7",
    ):
        assert said in text


def test_the_report_names_unit_family_correction_and_forgetting(page: Page) -> None:
    text = " ".join(page.text.split())
    for said in (
        "The unit is the patient",
        "each number of uterine cases (2, 5, 13) against none, on the DSC pooled over all 24 test patients",
        "adjusted after Holm over the whole family",
        "Wilcoxon signed-rank",
        "rank-biserial correlation",
        "BCa",
        "Forgetting",
        "on the DSC of the 8 cervical test patients",
        "each number of uterine cases (2, 5, 13) against the next smaller number",
        "By histology and volume",
        "tertiles of the true volume over the test patients with a tumour, cut at",
    ):
        assert said in text


def test_one_training_and_few_patients_are_said_to_be_that(page: Page, tmp_path: Path) -> None:
    text = " ".join(page.text.split())
    assert "Each model was trained once (one seed)" in text
    assert "fewer than 10 patients (here 8 cervical patients)" in text
    write_experiment(tmp_path, sizes=(0, 5), seeds=(0, 1), patients={"source": 10, "target": 10})
    more = write_report(tmp_path).read_text(encoding="utf-8")
    assert "trained once" not in more
    assert "too narrow" not in more


def test_machines_read_what_the_page_shows(experiment: Path, page: Page) -> None:
    found = json.loads((experiment / "summary.json").read_text(encoding="utf-8"))
    assert found["comparisons"]["family"] in " ".join(page.text.split())
    (last,) = [row for row in found["dsc"] if (row["target_cases"], row["test_set"]) == (13, "pooled")]
    assert f"rises from 0.40 to {last['dsc_mean']:.2f}" in " ".join(page.text.split())


def test_without_a_start_or_strata_those_sections_are_left_out(tmp_path: Path) -> None:
    write_experiment(tmp_path, sizes=(5,), patients={"target": 1})
    html = write_report(tmp_path).read_text(encoding="utf-8")
    assert "What each added share" not in html
    assert "Forgetting" not in html
    assert "<dt>Comparisons" not in html
    assert "Stratum" not in html


def test_virtual_patients_are_labelled(page: Page) -> None:
    assert VIRTUAL_LABEL in page.text
    assert ("class", "virtual") in page.attributes


def test_patients_that_are_not_virtual_are_not_labelled(tmp_path: Path) -> None:
    html = write_report(write_experiment(tmp_path, sizes=(5,), virtual=False)).read_text(encoding="utf-8")
    assert "Virtual" not in html
    assert RESEARCH_USE in html


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    attack = "\"><script>alert('x')</script>{{ 7*7 }}"
    cohorts = ("<img src=x onerror=alert(1)>", "a&b")
    write_experiment(tmp_path, sizes=(0, 5), hostile=attack, cohorts=cohorts, strategies=("<i>",))
    html = write_report(tmp_path).read_text(encoding="utf-8")
    page = Page(html)
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert page.tags.count("img") == 3
    assert attack in page.text
    assert "<img src=x onerror=alert(1)>" in page.text


def test_unfinished_runs_are_told(tmp_path: Path) -> None:
    write_experiment(tmp_path, sizes=(5,))
    (tmp_path / "runs" / "half").mkdir()
    assert "1 unfinished run is left out." in write_report(tmp_path).read_text(encoding="utf-8")


def test_several_strategies_and_seeds_are_shown(tmp_path: Path) -> None:
    write_experiment(tmp_path, sizes=(0, 5), strategies=("early_encoder", "all_layers"), seeds=(0, 1))
    html = write_report(tmp_path).read_text(encoding="utf-8")
    assert "compared on the test patients themselves" in html
    assert "Strategies against each other" in html
    assert "Means over 2 seeds" in html
    assert html.count("<svg ") == 1


def test_one_test_set_is_enough(tmp_path: Path) -> None:
    write_experiment(tmp_path, sizes=(0, 5), patients={"target": 3})
    html = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Forgetting" not in html
    assert '<small class="inline">3 patients</small>' in html


def test_the_same_experiment_gives_the_same_report(experiment: Path, html: str) -> None:
    assert write_report(experiment).read_text(encoding="utf-8") == html


def test_a_folder_without_a_finished_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished run"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"<svg onload=alert(1)>"])
def test_a_picture_that_is_missing_or_not_a_png_is_refused(tmp_path: Path, content: bytes | None) -> None:
    write_experiment(tmp_path, sizes=(5,))
    (picture,) = tmp_path.glob("runs/*/overlays/best.png")
    picture.unlink()
    if content:
        picture.write_bytes(content)
    with pytest.raises(UserError, match=r"best.png is missing or is not a PNG"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_every_question_of_a_whole_experiment_has_its_section(several_folder: Path) -> None:
    text = " ".join(Page(write_report(several_folder).read_text(encoding="utf-8")).text.split())
    for said in (
        "How many cases?",
        "Which layers?",
        "When to train together?",
        "Strategies against each other",
        "Cases that a strategy saves",
        "What more cases would bring",
        "26 → 128",
        "Forgetting",
        "Different data",
        "they never reproduce a clinical result",
        "over test patients and seeds",
        "Clearly: p after Holm is below 0.05",
        "same number of optimiser steps",
        "CLAIM 2024 checklist",
    ):
        assert said in text
    tables = {path.stem for path in (several_folder / "tables").glob("*.csv")}
    assert tables == {
        "dsc", "against_none", "added_cases", "between_strategies", "forgetting", "strata", "crossovers",
        "label_efficiency", "forecasts", "forecast_checks", "runs", "claim",
    }  # fmt: skip
    figure = (several_folder / "figures" / "learning_curves.svg").read_text(encoding="utf-8")
    assert figure.startswith("<?xml")
    assert "var(" not in figure


def test_the_quick_experiment_is_reported_without_claims(tmp_path: Path) -> None:
    text = " ".join(Page(write_report(write_quick(tmp_path)).read_text(encoding="utf-8")).text.split())
    assert "In one training of each model, with" in text
    assert "learly" not in text.split("Learning curves")[0]
    assert "What more cases would bring" not in text
