"""What tests read of a report's sections, and contexts with something changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from uteroseg.experiment.report.blocks import Cell, Folded, Note, Section, Table
from uteroseg.experiment.report.context import Context


def with_analysis(context: Context, **changed: Any) -> Context:
    """The same experiment, with other tables."""
    return Context(context.experiment, replace(context.analysis, **changed))


def with_records(context: Context, **changed: Any) -> Context:
    """The same experiment, with something else in each run's record."""
    runs = tuple(
        replace(run, record=run.record.model_copy(update=changed)) for run in context.experiment.runs
    )
    return Context(replace(context.experiment, runs=runs), context.analysis)


def table_of(section: Section) -> Table:
    (table,) = [
        block.table if isinstance(block, Folded) else block
        for block in section.blocks
        if isinstance(block, (Table, Folded))
    ]
    return table


def note_of(section: Section) -> str:
    (note,) = [block.text for block in section.blocks if isinstance(block, Note) and block.style == "note"]
    return note


def heads_of(table: Table) -> list[list[str]]:
    return [[head.text for head in line] for line in table.heads]


def rows_of(section: Section) -> list[list[str]]:
    """The texts of all rows."""
    return [[cell.text for cell in row] for group in table_of(section).groups for row in group.rows]


def small_of(cell: Cell) -> tuple[str, tuple[str, ...]]:
    return cell.text, cell.small
