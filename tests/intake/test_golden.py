"""Keys, names and splits stay what c24f040 made of the same sources; its datasets know them again.

`tests.intake.golden` says how the record was made.
"""

import json
import shutil

import pytest

from tests.intake.golden.record import FILE, keys_in, record_of
from tests.intake.golden.sources import write_sources
from uteroseg.cli.main import main

GOLDEN = json.loads(FILE.read_text("utf-8"))["files"]


def ingest(arguments, dataset, monkeypatch, capsys):
    """Run the command in this process; what became of each study."""
    source, *others = map(str, arguments)
    command = ["uteroseg", "ingest", source, str(dataset), "--cohort", "uterine", *others, "--json"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert not end.value.code, told.err
    return [study["status"] for study in json.loads(told.out)["studies"]]


def test_keys_ids_and_names_are_those_of_c24f040_and_nothing_is_added_again(tmp_path, monkeypatch, capsys):
    key = json.loads(FILE.read_text("utf-8"))["key"] + "\n"
    for name in ("new", "old"):
        (tmp_path / f"{name}.key").write_text(key)
    sources = write_sources(tmp_path / "sources")
    cases = [6, 4, 4, 2]
    for source, number in zip(sources, cases, strict=True):
        assert ingest(source, tmp_path / "new", monkeypatch, capsys) == ["added"] * number
    made = record_of(tmp_path / "new")
    assert sorted(made) == sorted(GOLDEN)
    assert keys_in(made) == keys_in(GOLDEN)
    tables = [name for name in GOLDEN if name.endswith((".tsv", ".bval"))]
    assert len(tables) == 19
    for name in tables:
        assert made[name] == GOLDEN[name], name

    # a dataset as that version left it: its text, and the images, which are whole numbers
    for name, text in GOLDEN.items():
        (tmp_path / "old" / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            shutil.copyfile(tmp_path / "new" / name, tmp_path / "old" / name)
        else:
            (tmp_path / "old" / name).write_text(text, encoding="utf-8", newline="\n")
    for dataset in ("new", "old"):
        before = record_of(tmp_path / dataset)
        for source, number in zip(sources, cases, strict=True):
            assert ingest(source, tmp_path / dataset, monkeypatch, capsys) == ["present"] * number
        assert record_of(tmp_path / dataset) == before
        assert (tmp_path / f"{dataset}.key").read_text() == key
