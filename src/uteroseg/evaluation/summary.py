"""What an evaluation comes to: by cohort and pooled, by stratum, and how the two masks agree clinically."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from uteroseg import RESEARCH_USE
from uteroseg.evaluation.agreement import bland_altman, intraclass_correlation
from uteroseg.evaluation.lesions import LESION_RULE
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.evaluation.patients import UNIT, patient_means
from uteroseg.evaluation.statistics import INTERVAL_RULE, describe
from uteroseg.evaluation.strata import NOT_STATED, volume_names, volume_places, volume_tertiles_ml

POOLED = "pooled"
DISTANCES = ("hd95_mm", "assd_mm")
AGREEMENT = {
    "volume_ml": "volume, mL",
    "diameter_mm": "maximum diameter, mm",
    "adc_mean": "mean ADC, 10⁻³ mm²/s",
    "adc_median": "median ADC, 10⁻³ mm²/s",
    "adc_p10": "10th percentile of ADC, 10⁻³ mm²/s",
    "adc_p90": "90th percentile of ADC, 10⁻³ mm²/s",
    "adc_skewness": "skewness of ADC",
    "adc_kurtosis": "excess kurtosis of ADC",
}
"""What is compared between automatic and manual masks, in words."""

Row = Mapping[str, Any]


def summarise(rows: Sequence[Row], *, tolerance_mm: float) -> dict[str, Any]:
    """Sum up measured cases, with the rules that were followed; what is not a number is None.

    Parameters
    ----------
    rows : sequence of dict
        As `uteroseg.evaluation.measurements.measure_cases` gives them.
    tolerance_mm : float
        Of the NSD.

    Returns
    -------
    dict
        ``groups`` by cohort and pooled, ``strata`` of the DSC, and ``agreement`` of automatic and manual
        masks by cohort and pooled.
    """
    groups = by_cohort(rows)
    summary = {
        "notice": RESEARCH_USE,
        "unit": UNIT,
        "empty_masks": EMPTY_RULE,
        "lesions": LESION_RULE,
        "intervals": INTERVAL_RULE,
        "nsd_tolerance_mm": tolerance_mm,
        "groups": {name: _group(members, tolerance_mm) for name, members in groups.items()},
        "strata": _strata(rows),
        "agreement": {name: agreement(members) for name, members in groups.items()},
    }
    return {name: _plain(value) for name, value in summary.items()}


def by_cohort(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Cases by cohort, in alphabetical order, and all of them as pooled."""
    cohorts = sorted({row["cohort"] for row in rows})
    return {**{c: [row for row in rows if row["cohort"] == c] for c in cohorts}, POOLED: list(rows)}


def patient_values(rows: Sequence[Row], measure: str) -> dict[str, float]:
    """A measure by patient, the mean over their cases; cases in which it is not defined are left out."""
    return patient_means(
        (row["participant"], None, row[measure]) for row in rows if row.get(measure) is not None
    )


def paired_values(rows: Sequence[Row], measure: str) -> list[tuple[float, float]]:
    """Automatic and manual value of each patient, over the cases in which both masks have one."""
    both = [r for r in rows if r.get(measure) is not None and r.get(f"predicted_{measure}") is not None]
    manual, automatic = (patient_values(both, name) for name in (measure, f"predicted_{measure}"))
    return [(automatic[patient], manual[patient]) for patient in manual]


def agreement(rows: Sequence[Row]) -> dict[str, Any]:
    """ICC(A,1) and Bland–Altman of automatic (first) against manual values, one of each per patient.

    A patient counts where both masks have a value: an empty mask has a volume (0) and no ADC.
    """
    found = {}
    for measure, words in AGREEMENT.items():
        pairs = paired_values(rows, measure)
        if not pairs:
            continue
        found[measure] = {
            "measure": words,
            "patients": len(pairs),
            "patients_left_out": len({row["participant"] for row in rows}) - len(pairs),
            "icc_a1": asdict(intraclass_correlation(pairs)),
            "bland_altman": asdict(bland_altman(*zip(*pairs, strict=True))),
        }
    return found


def _group(rows: Sequence[Row], tolerance_mm: float) -> dict[str, Any]:
    nsd = f"nsd_{tolerance_mm:g}mm"
    measures = ("dsc", "sensitivity", "ppv", nsd, *DISTANCES, "volume_error_ml", "volume_error_percent")
    tumours = [row for row in rows if row["volume_ml"] > 0]
    free = [row for row in rows if row["volume_ml"] == 0]
    lesions, detected = (sum(row[name] for row in rows) for name in ("lesions", "detected_lesions"))
    false_positives = patient_values(
        [{**row, "found": float(row["predicted_volume_ml"] > 0)} for row in free], "found"
    )
    return {
        "patients": len({row["participant"] for row in rows}),
        "cases": len(rows),
        "tumours": len(tumours),
        "missed_tumours": sum(row["dsc"] == 0 for row in tumours),
        "worst_values": sum(_worst(row) for row in rows),
        **{name: _described(rows, name) for name in (*measures, "diameter_error_mm")},
        "lesions": {
            "lesions": lesions,
            "detected": detected,
            "sensitivity": detected / lesions if lesions else None,
            "false_positive_components": sum(row["false_positive_components"] for row in rows),
            "false_positive_components_per_patient": describe(
                list(patient_values(rows, "false_positive_components").values())
            ).mean,
        },
        "tumour_free": {
            "patients": len(false_positives),
            "false_positive_rate": describe(list(false_positives.values())).mean,
        },
    }


def _worst(row: Row) -> bool:
    """Whether exactly one of the masks is empty, so that the worst values stand in."""
    return bool((row["volume_ml"] > 0) != (row["predicted_volume_ml"] > 0))


def _described(rows: Sequence[Row], measure: str) -> dict[str, Any]:
    found = describe(list(patient_values(rows, measure).values()))
    return {"patients": found.patients, "mean": found.mean, **asdict(found.interval), "median": found.median}


def _strata(rows: Sequence[Row]) -> dict[str, Any]:
    volumes = patient_values(rows, "volume_ml")
    found = {
        "histology": _dsc_by(rows, lambda row: row["histology"]),
        "scanner": _dsc_by(rows, lambda row: row["scanner"]),
    }
    cuts = volume_tertiles_ml(volumes.values())
    if cuts:
        names, places = volume_names(cuts), volume_places(list(volumes.values()), cuts)
        of_patient = dict(zip(volumes, places, strict=True))
        by_volume = _dsc_by(rows, lambda row: str(of_patient[row["participant"]]))
        found["volume"] = {names[int(place)]: values for place, values in by_volume.items()}
    return {"dsc": found, "volume_tertiles_ml": cuts}


def _dsc_by(rows: Sequence[Row], stratum: Callable[[Row], str]) -> dict[str, Any]:
    strata = sorted({stratum(row) or NOT_STATED for row in rows})
    return {
        name: _described([row for row in rows if (stratum(row) or NOT_STATED) == name], "dsc")
        for name in strata
    }


def _plain(value: Any) -> Any:
    """For JSON, which knows no "not a number"."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
