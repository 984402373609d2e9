"""How many target cases each strategy needs for what every layer reaches with half of them."""

from __future__ import annotations

import pandas as pd

from uteroseg.results.grid import Grid

COLUMNS = (
    "strategy",
    "reference_cases",
    "reference_dsc",
    "target_cases",
    "low",
    "high",
    "not_reached",
)

REFERENCE = "all"
SHARE = 0.5

EFFICIENCY_RULE = ""


def label_efficiency(grid: Grid) -> pd.DataFrame:
    """Find how many target cases each strategy needs for a level of DSC on the target set.

    Returns
    -------
    DataFrame
        A row for each strategy; empty where there is no strategy `REFERENCE` or no target patient.

        ``reference_cases``, ``reference_dsc`` : float
            `SHARE` of the largest size of `REFERENCE`, and the mean target DSC it reaches with it: the level.
        ``target_cases`` : float
            Cases needed; inf: not reached with any size of the experiment.
        ``low``, ``high`` : float
            95 % interval; inf as above. Not a number with fewer than two patients.
        ``not_reached`` : float
            Share of the resamples in which the level is not reached.
    """
    return pd.DataFrame(columns=list(COLUMNS))
