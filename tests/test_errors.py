import copy
import os
import re
from pathlib import Path

import pytest

from uteroseg.errors import UserError, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Größe, 10⁻³ mm²/s, 日本\n\t", "plain, Größe, 10⁻³ mm²/s, 日本\n\t"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        ("\x1b[31mred\r", "\\x1b[31mred\\x0d"),
        ("\ud800", "\\ud800"),
        ("\x9b", "\\x9b"),
    ],
)
def test_any_text_can_be_printed_and_written(text, shown):
    assert printable(text) == shown
    error = UserError(text, expected=text, fix=text)
    assert error.args == (shown,)
    assert str(error) == f"{shown} Expected: {shown} Fix: {shown}"
    assert str(copy.copy(error)) == str(error)  # as between processes
    assert str(error).encode("utf-8")


@pytest.mark.parametrize("package", ["imaging", "dicom", "annotations", "dataset", "intake"])
def test_no_text_of_the_library_names_an_option_of_the_command(package):
    """Who reads it may be in Python; parameters are named."""
    files = list((Path(__file__).parents[1] / "src/uteroseg" / package).rglob("*.py"))
    assert files
    assert not [path for path in files if re.search(r"(?<![\w-])--[a-z]", path.read_text("utf-8"))]
