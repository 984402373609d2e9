"""The tutorial notebook runs from top to bottom, and what it ends with is what it says."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
    assert names["found"]._repr_png_().startswith(b"\x89PNG")
    assert names["adapted"].training.cases == {"cervical": 12, "uterine": 5}
    rows = {row["case"] for row in names["measured"].rows}
    assert rows == {str(case) for case in names["dataset"].cases("uterine", "test")}
