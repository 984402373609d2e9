"""Errors name parameters; the command line tells them as its options, Python as its arguments."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import uteroseg
from tests import tiny
from uteroseg.cli import console
from uteroseg.dataset.study_files import write_study
from uteroseg.errors import UserError

SOURCE = Path(inspect.getfile(uteroseg)).parent
LIBRARY = [path for path in sorted(SOURCE.rglob("*.py")) if path.relative_to(SOURCE).parts[0] != "cli"]


def texts(path):
    """The strings of a module, docstrings left out."""
    tree = ast.parse(path.read_text("utf-8"))
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            yield node.value


def test_no_option_stands_in_the_library():
    options = set(console._options().values())
    assert {"--b-values", "--spacing", "--id", "--from"} <= options
    found = re.compile(rf"(?:{'|'.join(map(re.escape, options))})(?![\w-])")
    told = [(path.name, option) for path in LIBRARY for text in texts(path) for option in found.findall(text)]
    assert told == []


def test_every_parameter_that_an_error_names_has_an_option():
    named = {name for path in LIBRARY for text in texts(path) for name in re.findall(r"`(\w+)`", text)}
    assert len(named) > 15
    assert named - console._options().keys() == set()


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ({"b_values": (0.0, 1000.0)}, ["--b-values", "0,1000"]),
        ({"drop_incomplete": True}, ["--drop-incomplete"]),
        ({"adc_b_min": 100.0}, ["--adc-b-min", "100"]),
    ],
)
def test_both_ways_in_say_the_same(how, options, run, tiny_model, tmp_path):
    from uteroseg.dicom.read_options import ReadOptions
    from uteroseg.inference.batch import predict_all

    study, _ = tiny.study(3)
    path = tmp_path / "x_dwi.nii.gz"
    write_study(path, study, scanner_adc=tmp_path / "none.nii.gz", sidecar={})
    with pytest.raises(UserError) as raised:
        predict_all(path, tiny_model, tmp_path / "a", options=ReadOptions(**how))
    code, _, err = run("predict", path, "-m", tiny_model, "-o", tmp_path / "b", *options)
    assert code == 2
    printed = dict(line.split(": ", 1) for line in err.strip().splitlines())
    error = raised.value
    assert [printed[part] for part in ("Error", "Expected", "Fix")] == [
        console.with_options(text) for text in (error.found, error.expected, error.fix)
    ]
    assert "--b-values" in printed["Fix"]
    assert "`b_values`" in error.fix
    assert "`" not in err
