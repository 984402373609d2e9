"""The rows of a report's tables, as plain values that the template writes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uteroseg.report.wording import interval
from uteroseg.results.grid import curves


@dataclass(frozen=True)
class StratumRow:
    """One stratum: its patients, and mean DSC and interval with each number of target cases."""

    stratum: str
    patients: int
    cells: tuple[tuple[str, str] | None, ...]


@dataclass(frozen=True)
class CaseRow:
    """One test case: what it is, and its measures with each number of target cases."""

    case: str
    cohort: str
    histology: str
    volume_ml: float
    dsc: tuple[float | None, ...]
    predicted_volume_ml: float
    sensitivity: float
    ppv: float


def strata_rows(strata: pd.DataFrame, strategy: str) -> tuple[list[int], dict[str, list[StratumRow]]]:
    """Arrange the strata of a strategy's curve by what divides them.

    Parameters
    ----------
    strata : DataFrame
        As `stratify` gives it.
    strategy : str

    Returns
    -------
    sizes : list of int
        The numbers of target cases, a column each.
    rows : dict
        By division (histology, volume, scanner). Patients are those with the most target cases.
    """
    if strata.empty:
        return [], {}
    curve = curves(strata)[strategy]
    sizes = sorted(int(size) for size in curve["target_cases"].unique())
    rows: dict[str, list[StratumRow]] = {}
    for (by, stratum), group in curve.groupby(["by", "stratum"], sort=False):
        of_size = {int(row["target_cases"]): row for row in group.to_dict("records")}
        cells = tuple(_stratum_cell(of_size[size]) if size in of_size else None for size in sizes)
        patients = of_size[max(of_size)]["patients"]
        rows.setdefault(str(by), []).append(StratumRow(str(stratum), patients, cells))
    return sizes, rows


def _stratum_cell(row: Mapping[Hashable, Any]) -> tuple[str, str]:
    return f"{row['dsc_mean']:.2f}", interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"])


def case_rows(cases: pd.DataFrame, strategy: str) -> tuple[list[int], list[CaseRow]]:
    """List every test case of a strategy's curve, the worst first.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.
    strategy : str

    Returns
    -------
    sizes : list of int
        The numbers of target cases, a column each.
    rows : list of CaseRow
        Measures are means over seeds; all but the DSC are those with the most target cases.
    """
    curve = curves(cases)[strategy]
    sizes = sorted(int(size) for size in curve["target_cases"].unique())
    rows = []
    for (_, case), group in curve.groupby(["test_set", "case"]):
        dsc = group.groupby("target_cases")["dsc"].mean().to_dict()
        latest = group[group["target_cases"] == sizes[-1]]
        rows.append(
            CaseRow(
                case=str(case),
                cohort=str(latest["cohort"].iloc[0]),
                histology=str(latest["histology"].iloc[0]) or "–",
                volume_ml=float(latest["volume_ml"].mean()),
                dsc=tuple(dsc.get(size) for size in sizes),
                predicted_volume_ml=float(latest["predicted_volume_ml"].mean()),
                sensitivity=float(latest["sensitivity"].mean()),
                ppv=float(latest["ppv"].mean()),
            )
        )
    return sizes, sorted(rows, key=lambda row: (row.dsc[-1] or 0.0, row.case))
