"""The ``uteroseg`` command: one module for each group of verbs, which imports what it needs when called."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from uteroseg import RESEARCH_USE, __version__
from uteroseg.cli import (
    check,
    cohort,
    data,
    demo,
    experiment,
    export,
    ingest,
    predict,
    public,
    results,
    training,
)
from uteroseg.cli.console import print_error
from uteroseg.errors import UserError

app = typer.Typer(
    name="uteroseg",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tumour segmentation in pelvic diffusion-weighted MRI, adapted from one disease to others with few "
    f"annotated cases. {RESEARCH_USE}",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for verb in (
    demo.demo,
    data.simulate,
    ingest.ingest,
    data.split,
    check.check,
    check.info,
    training.train,
    training.adapt,
    predict.predict,
    results.evaluate,
    results.report,
    export.export,
    experiment.experiment,
):
    app.command()(verb)
app.add_typer(public.app, name="public")
app.add_typer(cohort.app, name="cohort")


def main() -> None:
    """Run the command line: a UserError is printed without a traceback and ends with code 2."""
    for stream in (sys.stdout, sys.stderr):  # names of files can hold what no terminal shows
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except UserError as error:
        print_error(error)
        sys.exit(2)
    except OSError as error:
        print_error(
            UserError(
                f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.",
                expected="a disk with room, and folders that may be read and written.",
                fix="free some room, or choose another folder.",
            )
        )
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        extra = "train" if package in _TRAIN else "public" if package in _PUBLIC else "analysis"
        print_error(
            UserError(
                f"This command needs the package {error.name!r}, which is not installed.",
                expected=f"uteroseg with the extra [{extra}].",
                fix=f"pip install 'uteroseg[{extra}]'",
            )
        )
        sys.exit(2)


_PUBLIC = ("idc_index_data",)
_TRAIN = (
    "torch",
    "torchvision",
    "timm",
    "segmentation_models_pytorch",
    "lightning_fabric",
    "safetensors",
    "tensorboardX",
    "yaml",
)
