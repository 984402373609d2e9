"""Rows of cases.csv for the tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd


def row(**changes: Any) -> dict[str, Any]:
    return {
        "run": "a1",
        "strategy": "early_encoder",
        "target_cases": 5,
        "seed": 0,
        "test_set": "target",
        "case": "sub-0001",
        "participant": "sub-0001",
        "cohort": "uterine",
        "histology": "endometrioid",
        "volume_ml": 12.5,
        "predicted_volume_ml": 10.0,
        "dsc": 0.1 + 0.2,
        "sensitivity": 1 / 3,
        "ppv": 1.0,
        "volume_error_ml": -2.5,
    } | changes


def model(
    strategy: str, target_cases: int, source: Iterable[float], target: Iterable[float], seed: int = 0
) -> pd.DataFrame:
    """The rows of one run, a case for each patient, from their DSC."""
    return pd.DataFrame(
        [
            row(
                strategy=strategy,
                target_cases=target_cases,
                seed=seed,
                test_set=test_set,
                participant=f"{test_set}{number:03d}",
                case=f"{test_set}{number:03d}",
                dsc=dsc,
            )
            for test_set, values in (("source", source), ("target", target))
            for number, dsc in enumerate(values)
        ]
    )
