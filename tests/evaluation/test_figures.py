import io
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from tests.evaluation.rows import row
from uteroseg.evaluation.figures import (
    _number,
    bland_altman_figure,
    dsc_by_cohort,
    expected_dsc_figure,
    overlays_figure,
)
from uteroseg.evaluation.summary import agreement, by_cohort
from uteroseg.experiment.report.figures import STYLE

ROWS = [
    row("a", 4, 3, cohort="cervical"),
    row("b", 4, 4, cohort="cervical"),
    row("b", 4, 2, cohort="cervical", case="b_ses-02"),
    row("c", 2, 0),
    row("d", 3, 5),
]


def texts(figure):
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg")
    return [
        "".join(node.itertext()).strip()
        for node in ET.fromstring(stream.getvalue()).iter("{http://www.w3.org/2000/svg}text")
    ]


def points(axes):
    """Marked points, by label of their group."""
    return {line.get_label(): line.get_xydata() for line in axes.lines if line.get_marker() == "o"}


def test_every_patient_is_a_point_in_their_cohort_and_in_the_pool():
    figure = dsc_by_cohort(ROWS)
    drawn = list(points(figure.axes[0]).values())
    assert [len(group) for group in drawn] == [2, 2, 4]
    np.testing.assert_allclose(sorted(drawn[0][:, 1]), [(1 + 2 / 3) / 2, 6 / 7])
    for place, group in enumerate(drawn):
        assert (abs(group[:, 0] - place) < 0.3).all()
    assert {"cervical", "uterine", "pooled", "n = 2", "n = 4", "DSC of a patient"} <= set(texts(figure))


def test_points_are_the_difference_against_the_mean_of_a_patient():
    found = agreement(ROWS)
    figure = bland_altman_figure(ROWS, found)
    volume, diameter, adc = figure.axes
    assert [len(group) for group in points(volume).values()] == [2, 2]
    assert [len(group) for group in points(adc).values()] == [2, 1], "an empty mask has no ADC"
    one = ROWS[0]["volume_ml"] / 4
    np.testing.assert_allclose(points(volume)["uterine"], [[one, -2 * one], [4 * one, 2 * one]])
    shown = texts(figure)
    assert {"Volume, mL", "Maximum diameter, mm", "Mean ADC, 10⁻³ mm²/s"} <= set(shown)
    assert {"cervical", "uterine", "Automatic − manual"} <= set(shown)
    limits = found["volume_ml"]["bland_altman"]
    assert [line.get_ydata()[0] for line in volume.lines[2:]] == [
        limits["bias"],
        limits["lower"],
        limits["upper"],
    ]
    assert not any("-" in text for text in shown), "a minus is a minus"
    assert diameter.get_legend() is None
    assert volume.get_legend() is not None


@pytest.mark.parametrize("patients", [1, 2, 3])
def test_few_patients_of_one_cohort_have_a_figure(patients):
    from uteroseg.evaluation.summary import summarise

    rows = [row(name, size, size) for size, name in enumerate("abc"[:patients], 1)]
    figure = bland_altman_figure(rows, summarise(rows, tolerance_mm=2)["agreement"]["pooled"])
    axes = figure.axes[0]
    assert len(points(axes)["pooled"]) == patients
    assert axes.get_legend() is None
    assert len(axes.lines) == (2 if patients < 3 else 4), "too few patients have a bias and no limits"
    texts(figure)
    texts(dsc_by_cohort(rows))


def test_a_measure_that_nobody_has_has_no_panel():
    rows = [row("a", 3, 0)]
    figure = bland_altman_figure(rows, agreement(rows))
    assert len(figure.axes) == 2


def test_reached_stands_against_expected_dsc():
    assert expected_dsc_figure(ROWS) is None
    stated = [{**ROWS[0], "expected_dsc": 0.5}, {**ROWS[3], "expected_dsc": 0.25}]
    figure = expected_dsc_figure([*stated, {**ROWS[1], "expected_dsc": None}])
    found = points(figure.axes[0])
    np.testing.assert_allclose(found["cervical"], [[0.5, 6 / 7]])
    np.testing.assert_allclose(found["uterine"], [[0.25, 0]])
    error = (6 / 7 - 0.5 + 0.25) / 2
    assert f"2 cases, mean absolute error {error:.2f}" in texts(figure)


def test_a_cohort_has_one_colour_in_every_figure():
    stated = [{**one, "expected_dsc": 0.5} for one in ROWS]
    colours = [
        {line.get_label(): line.get_color() for line in axes.lines if line.get_label() in by_cohort(ROWS)}
        for axes in (bland_altman_figure(ROWS, agreement(ROWS)).axes[0], expected_dsc_figure(stated).axes[0])
    ]
    assert colours[0] == colours[1]
    assert len(set(colours[0].values())) == 2


def test_names_are_written_as_they_are():
    figure = dsc_by_cohort([row("a", 2, 2, cohort="$x^2$")])
    assert "$x^2$" in texts(figure)


def test_pictures_stand_side_by_side_under_their_titles():
    pictures = {name: Image.new("RGB", (30, 40)) for name in ("Worst", "Best")}
    figure = overlays_figure(pictures)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Worst", "Best"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(-0.984, "−0.98"), (0.5, "0.50"), (2.16, "2.2"), (-15.6, "−16"), (123.4, "123"), (-0.001, "0.00")],
)
def test_numbers_at_the_limits_have_two_digits_and_a_minus(value, written):
    assert _number(value) == written
