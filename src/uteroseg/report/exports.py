"""Figures and tables beside a report: SVG for a manuscript, CSV for whoever goes on with the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from uteroseg.files import replaced_folder
from uteroseg.report.figures import Drawing

FIGURES, TABLES = "figures", "tables"


def write_exports(directory: Path, drawings: Iterable[Drawing], tables: Mapping[str, pd.DataFrame]) -> None:
    """Write ``figures/*.svg`` and ``tables/*.csv``, each folder whole, in place of earlier ones.

    Parameters
    ----------
    directory : Path
    drawings : iterable of Drawing
    tables : mapping
        By name of the file, without ending. Empty tables are left out. Numbers are written in full.
    """
    with replaced_folder(directory / FIGURES) as stage:
        for drawing in drawings:
            (stage / f"{drawing.name}.svg").write_text(drawing.file, encoding="utf-8", newline="\n")
    with replaced_folder(directory / TABLES) as stage:
        for name, table in tables.items():
            if len(table):
                text = table.to_csv(index=False, lineterminator="\n")
                (stage / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")
