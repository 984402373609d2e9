"""Measured cases for tests, without images."""

from tests.evaluation.masks import box, on_grid
from uteroseg.evaluation.metrics import measure_case

SHAPE = (5, 8, 9)


def mask(size):
    """A block of ``size`` columns; empty for 0."""
    return on_grid(box(SHAPE, (1, 2, 2, 4, 5, 2 + size)), (4.0, 2.0, 2.0))


def row(patient, truth, predicted, *, cohort="uterine", case=None, **others):
    """The measures of a prediction of so many columns, from the same corner as the truth."""
    adc = mask(0).data + 0.8
    adc[:, :, 4:] = 1.4
    return {
        "case": case or patient,
        "participant": patient,
        "cohort": cohort,
        "histology": "n/a",
        "scanner": "",
        **measure_case(mask(predicted), mask(truth), adc=adc),
        **others,
    }
