from __future__ import annotations

import pytest

from uteroseg.experiment.report import tables
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import difference, p_value

from .sections import heads_of, rows_of, small_of, table_of, with_analysis


def test_a_group_for_each_test_set_with_the_start_apart(several: Context) -> None:
    table = table_of(tables.results(several))
    pooled, target, source, missed = table.groups
    assert [group.title for group in table.groups] == ["Pooled", "Uterine", "Cervical", "Missed tumours"]
    assert (pooled.about, target.about, source.about) == ("36 patients", "24 patients", "12 patients")
    assert missed.about == "of 36"
    assert heads_of(table) == [["Strategy", "0", "5", "13", "26", "128", "256"]]
    assert [row[0].text for row in pooled.rows] == ["all", "default", "encoder-early", "joint"]
    assert pooled.rows[0][1].rows == 4, "the model without target cases is every strategy's"
    assert [len(row) for row in pooled.rows] == [7, 6, 6, 6]
    summary = several.summary.set_index(["strategy", "target_cases", "test_set"])
    tested = several.analysis.against_none.table.set_index(["strategy", "target_cases", "test_set"])
    found = summary.loc[("all", 13, "pooled")]
    assert small_of(pooled.rows[0][3]) == (
        f"{found['dsc_mean']:.2f}",
        (
            f"{found['dsc_low']:.2f}–{found['dsc_high']:.2f}",
            f"p {p_value(tested.loc[('all', 13, 'pooled'), 'p_holm'])}",
        ),
    )
    best = [row[0].text for row in pooled.rows if row[-1].best]
    means = {
        name: summary.loc[(name, 256, "pooled"), "dsc_mean"].round(2) for name in ("all", "default", "joint")
    }
    assert best == [name for name in means if means[name] == max(means.values())]


def test_missed_tumours_are_counted_and_the_fewest_are_best(several: Context) -> None:
    *_, missed = table_of(tables.results(several)).groups
    counted = {float(row[-1].text): row[-1].best for row in missed.rows}
    assert len(counted) < 2 or counted[min(counted)]
    assert not any(counted[number] for number in counted if number > min(counted))


def test_added_shares_say_from_where_to_where(several: Context) -> None:
    section = tables.added_cases(several)
    assert heads_of(table_of(section)) == [
        ["Strategy", "0 → 5", "5 → 13", "13 → 26", "26 → 128", "128 → 256"]
    ]
    assert set(section.files) == {"added_cases"}
    family = several.analysis.added_cases
    nothing = with_analysis(several, added_cases=type(family)(family.table.head(0), ""))
    assert tables.added_cases(nothing).blocks == ()


def test_strategies_are_set_against_one_of_them_with_the_sign_turned(several: Context) -> None:
    section = tables.against_each_other(several)
    (group,) = table_of(section).groups
    assert group.title == "Pooled, less “all”"
    table = several.analysis.between.table.set_index(["strategy", "other", "target_cases", "test_set"])
    of = table["difference"]
    assert {row[0].text: row[1].text for row in group.rows} == {
        name: difference(-of.loc["all", name, 5, "pooled"]) for name in ("default", "encoder-early", "joint")
    }
    assert tables.against_each_other(with_only(several, "joint")).blocks == ()


def with_only(context: Context, strategy: str) -> Context:
    """Nothing between strategies."""
    family = context.analysis.between
    summary = context.summary[context.summary["strategy"].isin([strategy, "source"])]
    return with_analysis(context, summary=summary, between=type(family)(family.table.head(0), ""))


def test_a_difference_that_was_tested_the_other_way_round_keeps_its_sign(several: Context) -> None:
    table = several.analysis.between.table
    summary = several.summary[several.summary["strategy"] != "all"]
    others = type(several.analysis.between)(
        table[(table["strategy"] != "all") & (table["other"] != "all")], "rule"
    )
    context = with_analysis(several, summary=summary, between=others)
    reference = context.leading
    (group,) = table_of(tables.against_each_other(context)).groups
    of = others.table.set_index(["strategy", "other", "target_cases", "test_set"])["difference"]
    for row in group.rows:
        name = row[0].text
        expected = (
            of.loc[name, reference, 5, "pooled"]
            if (name, reference, 5, "pooled") in of.index
            else -of.loc[reference, name, 5, "pooled"]
        )
        assert row[1].text == difference(expected)


def test_forgetting_is_shown_where_there_are_source_patients(several: Context) -> None:
    (group,) = table_of(tables.forgetting(several)).groups
    assert (group.title, group.about) == ("Cervical", "12 patients")
    family = several.analysis.forgetting
    nothing = with_analysis(several, forgetting=type(family)(family.table.head(0), ""))
    assert tables.forgetting(nothing).blocks == ()


@pytest.mark.parametrize("place", range(5))
def test_only_one_or_level_cells_of_a_column_are_best(several: Context, place: int) -> None:
    for group in table_of(tables.results(several)).groups:
        cells = [row[len(row) - 5 + place] for row in group.rows]
        assert len({cell.text for cell in cells if cell.best}) <= 1


def test_strata_have_a_column_per_number_of_cases(single: Context) -> None:
    cases = single.experiment.cases
    table = table_of(tables.strata(single))
    assert heads_of(table)[1] == ["0", "2", "5", "13"]
    histology, volume = table.groups
    assert (histology.title, volume.title) == ("Histology", "Volume")
    assert [(row[0].text, row[1].text) for row in histology.rows] == [
        ("carcinosarcoma", "8"),
        ("endometrioid", "8"),
        ("squamous", "8"),
    ]
    squamous = cases[(cases["histology"] == "squamous") & (cases["target_cases"] == 13)]
    assert histology.rows[2][-1].text == f"{squamous['dsc'].mean():.2f}"
    nothing = with_analysis(single, strata=single.analysis.strata.head(0))
    assert tables.strata(nothing).blocks == ()


def test_every_case_is_listed_once_the_worst_first(single: Context) -> None:
    cases = single.experiment.cases
    section = tables.every_case(single)
    assert heads_of(table_of(section))[1][:4] == ["0", "2", "5", "13"]
    rows = rows_of(section)
    assert sorted(row[0] for row in rows) == sorted(set(cases["case"]))
    last = [float(row[7]) for row in rows]
    assert last == sorted(last)
    one = cases[(cases["case"] == rows[0][0]) & (cases["target_cases"] == 5)].iloc[0]
    assert rows[0][6] == f"{one['dsc']:.2f}"
    assert rows[0][3] == f"{one['volume_ml']:.1f}"
