from __future__ import annotations

import pytest

from uteroseg.experiment.analysis import Analysis
from uteroseg.experiment.report.tables import (
    added_matrix,
    against_matrix,
    dsc_matrices,
    forgetting_matrix,
    missed_matrix,
)
from uteroseg.experiment.report.words import difference, p_value

COHORTS = {"source_cohort": "cervical", "target_cohort": "uterine"}


def test_a_matrix_for_each_test_set_with_the_start_apart(analysis: Analysis) -> None:
    pooled, target, source = dsc_matrices(analysis.summary, analysis.against_none.table, **COHORTS)
    assert [matrix.title for matrix in (pooled, target, source)] == ["Pooled", "Uterine", "Cervical"]
    assert pooled.sizes == (5, 13, 26, 128, 256)
    assert pooled.start is not None
    assert [row.strategy for row in pooled.rows] == ["all", "default", "encoder-early", "joint"]
    table = analysis.summary.set_index(["strategy", "target_cases", "test_set"])
    tested = analysis.against_none.table.set_index(["strategy", "target_cases", "test_set"])
    cell = pooled.rows[0].cells[1]
    assert cell is not None
    found = table.loc[("all", 13, "pooled")]
    assert cell.value == f"{found['dsc_mean']:.2f}"
    assert cell.small == (
        f"{found['dsc_low']:.2f}–{found['dsc_high']:.2f}",
        f"p {p_value(tested.loc[('all', 13, 'pooled'), 'p_holm'])}",
    )
    best = [row.strategy for row in pooled.rows if row.cells[-1] and row.cells[-1].best]
    means = {
        name: table.loc[(name, 256, "pooled"), "dsc_mean"].round(2) for name in ("all", "default", "joint")
    }
    assert best == [name for name in means if means[name] == max(means.values())]


def test_missed_tumours_are_counted_and_the_fewest_are_best(analysis: Analysis) -> None:
    matrix = missed_matrix(analysis.summary)
    assert matrix.about == "of 36"
    assert matrix.rows[0].cells[0] is not None


def test_added_shares_say_from_where_to_where(analysis: Analysis) -> None:
    matrix = added_matrix(analysis.added_cases.table)
    assert matrix is not None
    assert matrix.heads == ("0 → 5", "5 → 13", "13 → 26", "26 → 128", "128 → 256")
    assert added_matrix(analysis.added_cases.table.head(0)) is None


def test_strategies_are_set_against_one_of_them_with_the_sign_turned(analysis: Analysis) -> None:
    matrix = against_matrix(analysis.between.table, "default")
    assert matrix is not None
    table = analysis.between.table.set_index(["strategy", "other", "target_cases", "test_set"])["difference"]
    values = {row.strategy: row.cells[0].value for row in matrix.rows if row.cells[0]}
    assert values == {
        "all": difference(table.loc["all", "default", 5, "pooled"]),
        "encoder-early": difference(-table.loc["default", "encoder-early", 5, "pooled"]),
        "joint": difference(-table.loc["default", "joint", 5, "pooled"]),
    }
    assert against_matrix(analysis.between.table.head(0), "all") is None


def test_forgetting_has_a_matrix_where_there_are_source_patients(analysis: Analysis) -> None:
    matrix = forgetting_matrix(analysis.forgetting.table, source_cohort="cervical")
    assert matrix is not None
    assert (matrix.title, matrix.about) == ("Cervical", "12 patients")
    assert forgetting_matrix(analysis.forgetting.table.head(0), source_cohort="cervical") is None


@pytest.mark.parametrize("place", range(5))
def test_only_one_or_level_cells_of_a_column_are_best(analysis: Analysis, place: int) -> None:
    for matrix in dsc_matrices(analysis.summary, analysis.against_none.table, **COHORTS):
        cells = [row.cells[place] for row in matrix.rows]
        assert len({cell.value for cell in cells if cell and cell.best}) <= 1
