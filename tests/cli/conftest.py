"""What the tests of commands may ask for."""

import sys

import pytest

from uteroseg.cli.main import main


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process; its exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["uteroseg", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return end.value.code or 0, captured.out, captured.err

    return run
