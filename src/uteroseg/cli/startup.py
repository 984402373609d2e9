"""What makes a command start and end fast: every trick, and what it saves of a cold prediction.

Besides these, modules import what takes long inside the functions that need it, and tests look at
``sys.modules`` in fresh processes. This module itself imports the standard library alone.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future

    from uteroseg.model.ensemble import Engine
    from uteroseg.work import Workers

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> None:
    """Run the command line, and end without taking apart what it imported."""
    status = 1

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)  # the first to be registered is the last to be called
    collect_rarely()
    from uteroseg.cli.main import main as run

    try:
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


def collect_rarely() -> None:
    """Look for garbage after 50 000 new objects instead of 700: what is imported stays."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


@contextmanager
def opening(model: list[Path]) -> Iterator[Future[Engine]]:
    """Open a model in a thread, which is outside of Python for most of the time, beside other imports."""
    from concurrent.futures import ThreadPoolExecutor

    import onnxruntime  # noqa: F401  # so that the thread imports nothing, which two should not do at once

    from uteroseg.model.ensemble import open_model

    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(open_model, model)


def import_nibabel_alone() -> None:
    """Import nibabel without pydicom, which it wants for a header that we do not read.

    Only here, in a process of our own, where nobody else needs that header.
    """
    if "pydicom" not in sys.modules:
        sys.modules["pydicom"] = None  # type: ignore[assignment]  # importing it fails, as if it were absent
        import nibabel  # noqa: F401

        del sys.modules["pydicom"]


def object_workers(source: Path) -> Workers:
    """What writes SEG and SR: for DICOM a process that imports highdicom from now on, else this one.

    That takes about as long as to find, read and predict a study, which goes on beside it.

    Parameters
    ----------
    source : Path
        What is to be predicted: a folder that is no dataset, or a zip archive, can be DICOM.
    """
    from uteroseg.model.dicom_objects import import_highdicom
    from uteroseg.work import Workers

    can_be_dicom = source.suffix.lower() == ".zip" or (
        source.is_dir() and not (source / "dataset_description.json").is_file()
    )
    return Workers(int(can_be_dicom), prepare=import_highdicom)
