from __future__ import annotations

from pathlib import Path

import pandas as pd

from uteroseg.experiment.report.blocks import Drawing, Section
from uteroseg.experiment.report.page import write_exports


def test_figures_and_tables_lie_beside_the_report_in_place_of_earlier_ones(tmp_path: Path) -> None:
    drawing = Drawing("curve", '<svg role="img" style="font: var(--sans)"></svg>')
    old = Section("old", (Drawing("old", drawing.svg),), {"old": pd.DataFrame({"a": [1]})})
    tables = {"dsc": pd.DataFrame({"dsc": [1 / 3]}), "empty": pd.DataFrame({"a": []})}
    write_exports(tmp_path, [Section("curves", (drawing,)), old])
    write_exports(tmp_path, [Section("curves", (drawing,)), Section("not shown", files=tables)])
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == [
        "figures/curve.svg", "tables/dsc.csv"
    ]  # fmt: skip
    assert (tmp_path / "tables" / "dsc.csv").read_text() == "dsc\n0.3333333333333333\n"
    assert "var(" not in (tmp_path / "figures" / "curve.svg").read_text()
