"""What a section of a report is made of: values that the templates of the same names write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, small lines below it, and how it is set.

    ``kind`` is a class of the style sheet, or ``code``; ``rows`` is how many rows it spans.
    """

    text: str = "–"
    small: tuple[str, ...] = ()
    best: bool = False
    kind: str = ""
    rows: int = 1


@dataclass(frozen=True)
class Head:
    """A column's head, or that of several columns; ``title`` is said in full where the text is short."""

    text: str
    small: str = ""
    kind: str = ""
    columns: int = 1
    rows: int = 1
    title: str = ""


@dataclass(frozen=True)
class Group:
    """Rows of a table that belong together. The first cell of a row is its head."""

    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A table: rows of heads, then groups of rows.

    Parameters
    ----------
    style : str
        Classes of the style sheet.
    heads : tuple of tuples of Head
    groups : tuple of Group
    """

    template: ClassVar[str] = "table.html"

    style: str
    heads: tuple[tuple[Head, ...], ...]
    groups: tuple[Group, ...]

    @property
    def columns(self) -> int:
        """How many there are."""
        return sum(head.columns for head in self.heads[0])


@dataclass(frozen=True)
class Note:
    """A paragraph in small print."""

    template: ClassVar[str] = "note.html"

    text: str
    style: str = "note"


@dataclass(frozen=True)
class Folded:
    """A table that a click unfolds."""

    template: ClassVar[str] = "folded.html"

    summary: str
    table: Table


@dataclass(frozen=True)
class Definitions:
    """Terms, and what there is to say of each; those without anything are left out."""

    template: ClassVar[str] = "definitions.html"

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text.

    Parameters
    ----------
    name : str
        Of its file, without ending.
    svg : str
        An ``<svg>`` element that takes the page's font and width.
    caption : str
    large : bool
        As wide as the page.
    """

    template: ClassVar[str] = "drawing.html"

    name: str
    svg: str
    caption: str = ""
    large: bool = False

    @property
    def file(self) -> str:
        """The text of a file of its own, which names its fonts."""
        return '<?xml version="1.0" encoding="utf-8"?>\n' + self.svg.replace("var(--sans)", SANS) + "\n"


@dataclass(frozen=True)
class Picture:
    """An overlay as the page shows it."""

    title: str
    case: str
    about: str
    data_uri: str


@dataclass(frozen=True)
class Pictures:
    """Overlays side by side, with what their outlines mean."""

    template: ClassVar[str] = "pictures.html"

    about: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """A section of the page, with the tables that lie beside the report for it.

    Parameters
    ----------
    title : str
    blocks : tuple
        Without any, the page has no such section.
    files : mapping of str to DataFrame
        By name, in full numbers; empty ones are not written.
    """

    title: str
    blocks: tuple[Table | Note | Folded | Definitions | Drawing | Pictures, ...] = ()
    files: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    style: str = ""


SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
