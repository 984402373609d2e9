from __future__ import annotations

import xml.etree.ElementTree as ET

from matplotlib.figure import Figure

from uteroseg.experiment.report.blocks import Drawing
from uteroseg.experiment.report.figures import apart, as_svg


def test_a_figure_is_an_inline_element_that_scales_and_is_described() -> None:
    figure = Figure()
    figure.subplots().plot([0, 1])
    made = Drawing("curve", as_svg(figure, label="A line."))
    root = ET.fromstring(made.svg.replace("xlink:href", "href"))
    assert made.svg.startswith("<svg ")
    assert root.get("role") == "img"
    assert root.get("viewBox")
    assert root.get("width") is None
    assert "A line." in made.svg
    assert ET.fromstring(made.file.encode()).tag == "{http://www.w3.org/2000/svg}svg"


def test_labels_that_would_overlap_are_moved_apart_in_their_order() -> None:
    moved = apart({"a": 0.70, "b": 0.71, "c": 0.69})
    assert moved["c"] < moved["a"] < moved["b"]
    assert min(moved["b"] - moved["a"], moved["a"] - moved["c"]) > 0.055
    assert all(0 < height < 1 for height in apart({"a": 0.0, "b": 0.0, "c": 0.0}).values())
    assert all(0 < height < 1 for height in apart({"a": 1.0, "b": 1.0, "c": 1.0}).values())
