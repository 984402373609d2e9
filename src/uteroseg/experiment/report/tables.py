"""The sections of results: by strategy and number of cases, what changed, strata, pictures, every case."""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from uteroseg.errors import UserError
from uteroseg.evaluation.measurements import RANKS
from uteroseg.experiment.analysis import Family
from uteroseg.experiment.comparisons import FORGETTING_RULE
from uteroseg.experiment.grid import curves
from uteroseg.experiment.report.blocks import (
    Cell,
    Folded,
    Group,
    Head,
    Note,
    Picture,
    Pictures,
    Section,
    Table,
)
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import (
    capital,
    cases_of,
    count,
    counted,
    difference,
    difference_interval,
    interval,
    listed,
    p_value,
)
from uteroseg.experiment.results import FinishedRun

ALL = "all"
"""The strategy that others are compared with, where it is there."""

Row = Mapping[Hashable, Any]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def results(context: Context) -> Section:
    """Mean DSC on each test set, and missed tumours, by strategy and number of target cases."""
    summary, family = context.summary, context.analysis.against_none
    titles = {"pooled": "Pooled", "target": capital(context.target), "source": capital(context.source)}
    tested = family.table[family.table["test_set"] == "pooled"]
    p_of = {(row["strategy"], row["target_cases"]): row["p_holm"] for row in tested.to_dict("records")}

    def dsc(row: Row) -> Cell:
        small = [interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"])]
        p = p_of.get((row["strategy"], row["target_cases"])) if row["test_set"] == "pooled" else None
        if p is not None and not pd.isna(p):
            small.append(f"p {p_value(p)}")
        return Cell(f"{row['dsc_mean']:.2f}", tuple(small))

    parts = [
        (title, counted(context.patients[name], "patient"), summary[summary["test_set"] == name], dsc)
        for name, title in titles.items()
        if name in context.patients
    ]
    pooled = summary[summary["test_set"] == "pooled"]
    missed = (
        "Missed tumours",
        f"of {count(float(pooled['tumours'].max()))}",
        pooled,
        lambda row: Cell(count(row["missed_tumours"])),
    )
    notes = [
        "Mean DSC with its 95 % interval"
        + (f"; p against no {context.target} cases, after Holm." if family.rule else "."),
        "Missed tumours: those with DSC 0.",
        "Bold: the best of its column." if context.several else "",
        f"Means over {context.analysis.seeds} seeds." if context.analysis.seeds > 1 else "",
        family.rule,
    ]
    return Section(
        f"Results by {'strategy and ' if context.several else ''}number of {context.target} cases",
        (
            _matrix(
                [_Part(*part, best="dsc_mean") for part in parts]
                + [_Part(*missed, best="missed_tumours", least=True)]
            ),
            Note(" ".join(filter(None, notes))),
        ),
        {"dsc": summary, "against_none": family.table},
    )


def against_each_other(context: Context) -> Section:
    """Pooled DSC of every other strategy less that of one."""
    family = context.analysis.between
    reference = ALL if ALL in context.curves else context.leading
    pooled = family.table[family.table["test_set"] == "pooled"]
    second = pooled[pooled["strategy"] == reference]
    turned = second.assign(
        strategy=second["other"],
        difference=-second["difference"],
        difference_low=-second["difference_high"],
        difference_high=-second["difference_low"],
    )
    return _changes(
        "Strategies against each other",
        pd.concat([pooled[pooled["other"] == reference], turned]),
        f"Pooled, less “{reference}”",
        f"Pooled DSC less that of “{reference}” with the same number of {context.target} cases, within the "
        "same patients, with its 95 % interval and p after Holm; every other pair stands in "
        "tables/between_strategies.csv.",
        {"between_strategies": family},
    )


def added_cases(context: Context) -> Section:
    """Change of the pooled DSC with each added share of cases."""
    family = context.analysis.added_cases
    table = family.table[family.table["test_set"] == "pooled"]
    fewer = {
        size: " or ".join(map(str, sorted(table.loc[table["target_cases"] == size, "other_cases"].unique())))
        for size in table["target_cases"].unique().tolist()
    }
    return _changes(
        "What each added share of cases brings",
        table,
        "Pooled",
        f"Change of the pooled DSC against the next smaller number of {context.target} cases, within the "
        "same patients, with its 95 % interval and p after Holm.",
        {"added_cases": family},
        heads={size: f"{before} → {size}" for size, before in fewer.items()},
    )


def forgetting(context: Context) -> Section:
    """Change of the DSC on the source test set against the source model."""
    family = context.analysis.forgetting
    return _changes(
        "Forgetting",
        family.table,
        capital(context.source),
        f"{FORGETTING_RULE} With 95 % interval and p after Holm.",
        {"forgetting": family},
    )


def _changes(
    title: str,
    table: pd.DataFrame,
    about: str,
    note: str,
    families: Mapping[str, Family],
    *,
    heads: Mapping[int, str] | None = None,
) -> Section:
    """Differences with their interval and corrected p-value; none is marked as best."""
    files = {name: family.table for name, family in families.items()}
    if table.empty:
        return Section(title, files=files)

    def change(row: Row) -> Cell:
        spread = difference_interval(
            row["difference_low"], row["difference_high"], row["difference_interval"]
        )
        p: tuple[str, ...] = () if pd.isna(row["p_holm"]) else (f"p {p_value(row['p_holm'])}",)
        return Cell(difference(row["difference"]), (spread, *p))

    part = _Part(about, counted(int(table["patients"].max()), "patient"), table, change)
    (family,) = families.values()
    text = " ".join(filter(None, (note, family.rule)))
    return Section(title, (_matrix([part], heads), Note(text)), files)


class _Part:
    """A part of a matrix: a table's rows as strategy × number of target cases.

    Parameters
    ----------
    title, about : str
    table : DataFrame
    cell : callable
        Writes a row.
    best : str
        Column whose best value of each number of cases is marked; none by default.
    least : bool
        The smallest is the best.
    """

    def __init__(
        self,
        title: str,
        about: str,
        table: pd.DataFrame,
        cell: Callable[[Row], Cell],
        *,
        best: str = "",
        least: bool = False,
    ) -> None:
        self.title, self.about = title, about
        self._cell, self._best, self._curves = cell, best, curves(table)
        starts = table[table["target_cases"] == 0].to_dict("records")
        self.start = cell(starts[0]) if len(starts) == 1 else None
        self.sizes = sorted({int(n) for n in table["target_cases"]} - ({0} if self.start else set()))
        self._marked: dict[int, float] = {}
        if best:
            chosen = table[table["target_cases"].isin(self.sizes)].groupby("target_cases")[best]
            values = (chosen.min() if least else chosen.max()).round(2)
            spread = (chosen.max() - chosen.min()).round(2)
            self._marked = {size: values[size] for size in values.index.tolist() if spread[size]}

    def group(self, sizes: list[int]) -> Group:
        """Its rows, a cell for each number of target cases; the starting point spans all strategies."""
        rows: list[tuple[Cell, ...]] = []
        for strategy, curve in self._curves.items():
            of_size = {int(row["target_cases"]): row for row in curve.to_dict("records")}
            start = (
                [Cell(self.start.text, self.start.small, kind="start", rows=len(self._curves))]
                if (self.start and not rows)
                else []
            )
            cells = [self._written(size, of_size.get(size)) for size in sizes]
            rows.append((Cell(strategy), *start, *cells))
        return Group(tuple(rows), self.title, self.about)

    def _written(self, size: int, row: Row | None) -> Cell:
        if row is None:
            return Cell()
        made = self._cell(row)
        marked = size in self._marked and round(row[self._best], 2) == self._marked[size]
        return Cell(made.text, made.small, best=True) if marked else made


def _matrix(parts: list[_Part], heads: Mapping[int, str] | None = None) -> Table:
    """Strategies × numbers of target cases, a group of rows for each part."""
    sizes = parts[0].sizes
    names = [(heads or {}).get(size, str(size)) for size in sizes]
    starts = [Head("0")] if parts[0].start else []
    return Table(
        "matrix",
        ((Head("Strategy"), *starts, *map(Head, names)),),
        tuple(part.group(sizes) for part in parts),
    )


def strata(context: Context) -> Section:
    """The leading strategy's DSC by histology, volume and scanner."""
    table, cuts = context.analysis.strata, context.analysis.volume_tertiles_ml
    files = {"strata": table}
    if table.empty:
        return Section("By stratum", files=files)
    curve = curves(table)[context.leading]
    sizes = sorted(int(size) for size in curve["target_cases"].unique())
    groups: dict[str, list[tuple[Cell, ...]]] = {}
    for (by, stratum), group in curve.groupby(["by", "stratum"], sort=False):
        of_size = {int(row["target_cases"]): row for row in group.to_dict("records")}
        cells = [_mean(of_size[size]) if size in of_size else Cell() for size in sizes]
        patients = Cell(str(of_size[max(of_size)]["patients"]))
        groups.setdefault(str(by), []).append((Cell(str(stratum)), patients, *cells))
    note = "Test patients of both cohorts"
    note += f", strategy “{context.leading}”" if context.several else ""
    note += ", with 95 % intervals; strata are described, not tested."
    if cuts and "volume" in groups:
        note += (
            " Volume: tertiles of the true volume over the test patients with a tumour, cut at "
            f"{cuts[0]:.1f} and {cuts[1]:.1f} mL."
        )
    heads = (
        (
            Head("Stratum", rows=2),
            Head("Patients", rows=2),
            Head(f"Mean DSC with {context.target} cases", kind="group", columns=len(sizes)),
        ),
        tuple(Head(str(size)) for size in sizes),
    )
    return Section(
        f"By {listed(list(groups))}",
        (
            Table("strata", heads, tuple(Group(tuple(rows), capital(by)) for by, rows in groups.items())),
            Note(note),
        ),
        files,
    )


def _mean(row: Row) -> Cell:
    return Cell(f"{row['dsc_mean']:.2f}", (interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"]),))


def every_case(context: Context) -> Section:
    """Every test case of the leading strategy, the worst first; measures are means over seeds."""
    curve = curves(context.experiment.cases)[context.leading]
    sizes = sorted(int(size) for size in curve["target_cases"].unique())
    rows = []
    for (_, case), group in curve.groupby(["test_set", "case"]):
        dsc = group.groupby("target_cases")["dsc"].mean().to_dict()
        latest = group[group["target_cases"] == sizes[-1]]
        first, mean = latest.iloc[0], latest.mean(numeric_only=True)
        cells = (
            Cell(str(case), kind="code"),
            Cell(str(first["cohort"]), kind="text"),
            Cell(str(first["histology"]) or "–", kind="text"),
            Cell(f"{mean['volume_ml']:.1f}"),
            *(Cell(f"{dsc[n]:.2f}" if n in dsc else "–") for n in sizes[:-1]),
            Cell(f"{dsc[sizes[-1]]:.2f}" if sizes[-1] in dsc else "–", kind="last"),
            Cell(f"{mean['predicted_volume_ml']:.1f}"),
            Cell(f"{mean['sensitivity']:.2f}"),
            Cell(f"{mean['ppv']:.2f}"),
        )
        rows.append((dsc.get(sizes[-1], 0.0), str(case), cells))
    heads = (
        (
            *(Head(text, rows=2) for text in ("Case", "Cohort", "Histology")),
            Head("Volume", "mL", rows=2),
            Head(f"DSC with {context.target} cases", kind="group", columns=len(sizes)),
            Head(f"with {sizes[-1]}", kind="group", columns=3),
        ),
        (
            *(Head(str(size)) for size in sizes),
            Head("Predicted", "mL"),
            Head("Sens.", title="sensitivity"),
            Head("PPV", title="positive predictive value"),
        ),
    )
    table = Table("cases", heads, (Group(tuple(cells for *_, cells in sorted(rows, key=lambda r: r[:2]))),))
    of = f" (strategy “{context.leading}”)" if context.several else ""
    return Section("Every test case", (Folded(f"{len(rows)} cases, the worst first{of}", table),))


def pictures(context: Context) -> Section:
    """The worst, median and best case of the leading strategy's run with the most target cases.

    Raises
    ------
    UserError
        If one of several pictures is missing, or is not a PNG picture.
    """
    title = "Worst, median and best case"
    own = [run for run in context.experiment.runs if run.record.strategy == context.leading]
    run = max(own, key=lambda run: (bool(run.record.overlays), run.record.target_cases, -run.record.seed))
    if not run.record.overlays:
        note = (
            "There are no pictures: these runs were picked up from elsewhere as record and table alone. "
            "Pictures lie where the runs were made."
        )
        return Section(title, (Note(note),), style="cases-shown")
    record = run.record
    of = f", strategy “{record.strategy}”" if context.several else ""
    about = f"with {cases_of(context.target, record.target_cases)}{of}, seed {record.seed}"
    return Section(title, (Pictures(about, _pictures(context, run)),), style="cases-shown")


def _pictures(context: Context, run: FinishedRun) -> tuple[Picture, ...]:
    cases = context.experiment.cases
    own = cases[cases["run"] == run.record.run].drop_duplicates("case").set_index("case")
    about = {
        str(case): " · ".join(
            filter(None, (row["cohort"], row["histology"], f"tumour {row['volume_ml']:.1f} mL"))
        )
        for case, row in own.to_dict("index").items()
    }
    return tuple(
        Picture(
            f"{rank.capitalize()}: DSC {overlay.dsc:.2f}",
            overlay.case,
            about.get(overlay.case, ""),
            _data_uri(run.folder / overlay.file),
        )
        for rank in RANKS
        if (overlay := run.record.overlays.get(rank))
    )


def _data_uri(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    if not content.startswith(_PNG_SIGNATURE):
        raise UserError(
            f"{path} is missing or is not a PNG picture.",
            expected="the overlay that this run's run.json names.",
            fix="delete this run's folder and repeat the run with the same command.",
        )
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
