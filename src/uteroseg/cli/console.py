"""Speak to the person at the terminal: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uteroseg.errors import UserError, printable

if TYPE_CHECKING:
    from rich.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_PARAMETER = re.compile(r"`(\w+)`")

OnProgress = Callable[[str, int, int, str], None]


def print_error(error: UserError) -> None:
    """Print what was found, what was expected and how to fix it."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    for label, text, style in (
        ("Error", error.found, "bold red"),
        ("Expected", error.expected, "bold"),
        ("Fix", error.fix, "bold green"),
    ):
        console.print(Text.assemble((f"{label}: ", style), with_options(text)), soft_wrap=True)


def with_options(text: str) -> str:
    """A text of the library in which parameters, which stand in backticks, are told as options."""
    return _PARAMETER.sub(lambda name: _options().get(name[1], name[1]), text)


@lru_cache
def _options() -> Mapping[str, str]:
    """The option of each parameter of every command."""
    from uteroseg.cli.main import app  # which imports this

    found: dict[str, str] = {}
    commands = [typer.main.get_command(app)]
    for command in commands:  # grows: groups hold commands
        commands += getattr(command, "commands", {}).values()
        for parameter in command.params:
            long = [name for name in parameter.opts if name.startswith("--")]
            found |= {str(parameter.name): name for name in long[:1]}
    return found


def print_result(values: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result, for a machine or for a person."""
    if as_json:  # names that are not UTF-8 as JSON writes what no character stands for
        written = json.dumps(values, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")
        text = written.decode("utf-8")
    typer.echo(with_options(text if as_json else printable(text)))


def warn(text: str) -> None:
    """Print a line on standard error."""
    typer.echo(with_options(printable(text)), err=True)


@contextmanager
def progress() -> Iterator[OnProgress]:
    """Give a function that shows how far something is, a bar for each ``what``, from its first call on."""
    with ExitStack() as shown:
        tasks: dict[str, Any] = {}
        bars: Any = None

        def update(what: str, done: int, total: int, note: str = "") -> None:
            nonlocal bars
            bars = bars or shown.enter_context(_bars())
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total, note=note)
            bars.update(tasks[what], completed=done, total=total, note=note)

        yield update


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
