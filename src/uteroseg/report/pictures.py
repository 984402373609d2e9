"""The worst, median and best case of a run, as pictures inside the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uteroseg.errors import UserError
from uteroseg.results.experiment import Experiment, FinishedRun

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RANKS: tuple[Literal["worst", "median", "best"], ...] = ("worst", "median", "best")


@dataclass(frozen=True)
class Picture:
    """An overlay as the page shows it."""

    rank: str
    case: str
    dsc: float
    about: str
    data_uri: str


def run_to_show(experiment: Experiment, strategy: str) -> FinishedRun:
    """Choose the run to show: the strategy's, with pictures, most target cases, first seed."""
    own = [run for run in experiment.runs if run.record.strategy == strategy]
    return max(own, key=lambda run: (bool(run.record.overlays), run.record.target_cases, -run.record.seed))


def pictures_of(run: FinishedRun, experiment: Experiment) -> list[Picture]:
    """The pictures of a run; none where it was picked up from elsewhere without them.

    Raises
    ------
    UserError
        If one of several is missing, or is not a PNG picture.
    """
    cases = (
        experiment.cases[experiment.cases["run"] == run.record.run].drop_duplicates("case").set_index("case")
    )
    about = {
        str(case): " · ".join(
            filter(None, (row["cohort"], row["histology"], f"tumour {row['volume_ml']:.1f} mL"))
        )
        for case, row in cases.to_dict("index").items()
    }
    return [
        Picture(
            rank, overlay.case, overlay.dsc, about.get(overlay.case, ""), _data_uri(run.folder / overlay.file)
        )
        for rank in _RANKS
        if (overlay := run.record.overlays.get(rank))
    ]


def _data_uri(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    if not content.startswith(_PNG_SIGNATURE):
        raise UserError(
            f"{path} is missing or is not a PNG picture.",
            expected="the overlay that this run's run.json names.",
            fix="delete this run's folder and repeat the run with the same command.",
        )
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
