from __future__ import annotations

import xml.etree.ElementTree as ET

import pandas as pd

from uteroseg.experiment.report.blocks import Drawing
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.figures import COLOURS, highlighted, learning_curves, looks

from .sections import with_analysis, with_records


def drawn(context: Context) -> str:
    (drawing,) = learning_curves(context).blocks
    assert isinstance(drawing, Drawing)
    return drawing.svg


def texts(svg: str) -> list[str]:
    return [
        "".join(node.itertext()).strip() for node in ET.fromstring(svg).iter() if node.tag.endswith("text")
    ]


def test_one_strategy_is_drawn_on_each_test_set(single: Context) -> None:
    svg = drawn(single)
    shown = texts(svg)
    assert {"0", "2", "5", "13", "Mean DSC (95 % interval)"} <= set(shown)
    assert any(text.startswith("Annotated uterine cases") for text in shown)
    for name in ("cervical", "uterine", "pooled"):
        assert any(text.startswith(f"{name} 0.") for text in shown)
    assert all(colour.lower() in svg for colour in COLOURS.values())
    assert "Mean DSC by number of annotated target cases" in svg


def test_several_strategies_have_a_panel_for_each_test_set(several: Context) -> None:
    svg = drawn(several)
    shown = texts(svg)
    assert {"Pooled (both cohorts)", "Uterine test patients", "Cervical test patients"} <= set(shown)
    assert {"all", "encoder-early", "joint", "default"} <= set(shown)


def test_more_than_six_strategies_are_pale_and_named(single: Context) -> None:
    adapted = single.summary[single.summary["target_cases"] > 0]
    more = [adapted.assign(strategy=f"s{number}") for number in range(8)]
    context = with_analysis(single, summary=pd.concat([single.summary, *more]))
    assert any(text.startswith("Pale, without intervals: ") for text in texts(drawn(context)))


def test_at_most_six_are_highlighted_and_looks_differ(single: Context) -> None:
    adapted = single.summary[single.summary["target_cases"] > 0]
    names = (*(f"s{number}" for number in range(8)), "all", "joint")
    more = [adapted.assign(strategy=name, dsc_mean=place / 10) for place, name in enumerate(names)]
    context = with_analysis(single, summary=pd.concat(more))
    bright = highlighted(context)
    assert len(bright) == 6
    assert {"all", "joint"} <= set(bright)
    look_of = looks(context)
    assert len({look_of[name] for name in bright}) == 6


def test_the_same_summary_gives_the_same_figure(single: Context) -> None:
    assert drawn(single) == drawn(with_analysis(single, summary=single.summary.copy()))


def test_a_single_number_of_cases_and_any_name_can_be_drawn(single: Context) -> None:
    last = with_analysis(single, summary=single.summary[single.summary["target_cases"] == 13])
    assert "13" in texts(drawn(last))
    odd = with_records(single, source_cohort="$x^2$ <b>")
    assert "$x^2$ <b> 0." in " ".join(texts(drawn(odd)))
