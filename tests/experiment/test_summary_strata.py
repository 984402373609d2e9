from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from uteroseg.evaluation.statistics import mean_interval
from uteroseg.experiment.summary import stratify, volume_cuts_ml

from .rows import row


def patient(name: str, volume: float, dsc: float, **changes: Any) -> dict[str, Any]:
    return row(participant=name, case=changes.pop("case", name), volume_ml=volume, dsc=dsc) | changes


PATIENTS = pd.DataFrame(
    [
        patient("a", 1, 0.1, histology="sarcoma"),
        patient("b", 2, 0.2, histology=""),
        patient("c", 3, 0.3),
        patient("d", 4, 0.4),
        patient("e", 5, 0.5),
        patient("f", 90, 0.6, test_set="source", histology="squamous"),
    ]
)


def means(table: pd.DataFrame, by: str) -> dict[str, tuple[int, float]]:
    chosen = table[table["by"] == by]
    return {
        stratum: (patients, pytest.approx(mean))
        for stratum, patients, mean in zip(
            chosen["stratum"], chosen["patients"], chosen["dsc_mean"], strict=True
        )
    }


def test_patients_are_divided_by_histology_and_by_tertile_of_volume() -> None:
    table = stratify(PATIENTS)
    assert means(table, "histology") == {
        "endometrioid": (3, 0.4),
        "not stated": (1, 0.2),
        "sarcoma": (1, 0.1),
        "squamous": (1, 0.6),
    }
    assert means(table, "volume") == {
        "up to 2.7 mL": (2, 0.15),
        "2.7 to 4.3 mL": (2, 0.35),
        "over 4.3 mL": (2, 0.55),
    }
    assert list(means(table, "volume")) == ["up to 2.7 mL", "2.7 to 4.3 mL", "over 4.3 mL"]
    first = table[table["stratum"] == "endometrioid"].iloc[0]
    interval = mean_interval([0.3, 0.4, 0.5])
    assert (first["dsc_low"], first["dsc_high"]) == pytest.approx((interval.low, interval.high))
    assert first["dsc_median"] == pytest.approx(0.4)


def test_the_cut_points_are_the_tertiles_over_patients() -> None:
    assert volume_cuts_ml(PATIENTS) == pytest.approx(np.quantile([1, 2, 3, 4, 5, 90], [1 / 3, 2 / 3]))
    again = pd.concat([PATIENTS, PATIENTS.assign(seed=1), PATIENTS.assign(run="b", target_cases=9)])
    assert volume_cuts_ml(again) == volume_cuts_ml(PATIENTS)


def test_a_patient_with_several_cases_has_one_volume() -> None:
    second = patient("e", 1, 0.5, case="e_acq-2")
    table = stratify(pd.concat([PATIENTS, pd.DataFrame([second])], ignore_index=True))
    assert volume_cuts_ml(pd.concat([PATIENTS, pd.DataFrame([second])])) == pytest.approx(
        np.quantile([1, 2, 3, 4, 3, 90], [1 / 3, 2 / 3])
    )
    assert sum(number for number, _ in means(table, "volume").values()) == 6


def test_patients_without_a_tumour_are_a_stratum_of_their_own() -> None:
    healthy = [patient("x", 0, 1.0), patient("y", 0, 0.0)]
    both = pd.concat([PATIENTS, pd.DataFrame(healthy)], ignore_index=True)
    assert volume_cuts_ml(both) == volume_cuts_ml(PATIENTS)
    assert next(iter(means(stratify(both), "volume").items())) == ("no tumour", (2, 0.5))


def test_without_three_tumours_there_are_no_tertiles() -> None:
    few = PATIENTS.iloc[4:]
    assert volume_cuts_ml(few) is None
    assert set(stratify(few)["by"]) == {"histology"}


def test_scanners_are_told_apart_where_the_table_has_them() -> None:
    assert "scanner" not in set(stratify(PATIENTS)["by"])
    scanners = ["Skyra", "Trio", "Skyra", "", None, "Trio"]
    found = means(stratify(PATIENTS.assign(scanner=scanners)), "scanner")
    assert found == {"Skyra": (2, 0.2), "Trio": (2, 0.4), "not stated": (2, 0.45)}
    assert "scanner" not in set(stratify(PATIENTS.assign(scanner="Skyra"))["by"]), "one stratum: all patients"


def test_a_patient_on_two_scanners_counts_in_both() -> None:
    cases = pd.concat([PATIENTS, pd.DataFrame([patient("a", 1, 0.9, case="a_acq-2")])], ignore_index=True)
    found = means(stratify(cases.assign(scanner=["Skyra"] * 6 + ["Trio"])), "scanner")
    assert found == {"Skyra": (6, 0.35), "Trio": (1, 0.9)}


def test_models_are_kept_apart_and_the_order_of_rows_changes_nothing() -> None:
    cases = pd.concat([PATIENTS, PATIENTS.assign(target_cases=13, dsc=0.7)], ignore_index=True)
    table = stratify(cases)
    assert len(table) == 2 * len(stratify(PATIENTS))
    assert set(table.loc[table["target_cases"] == 13, "dsc_mean"].round(9)) == {0.7}
    pd.testing.assert_frame_equal(table, stratify(cases.sample(frac=1, random_state=3)))


def test_patients_who_are_all_alike_have_no_strata() -> None:
    assert stratify(PATIENTS.iloc[2:4]).empty
