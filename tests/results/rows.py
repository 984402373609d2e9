"""Rows of cases.csv for the tests."""

from __future__ import annotations

from typing import Any


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
