"""Predict and measure a model's test cases inside a run's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.measurements import Rank, measure_cases, worst_median_best
from uteroseg.experiment.records import Overlay
from uteroseg.imaging.nifti import read_mask, write_mask
from uteroseg.imaging.overlay import overlay
from uteroseg.imaging.study import Mask
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.ensemble import Forward
from uteroseg.model.prediction import segment
from uteroseg.model.prepare import PreparedStudy
from uteroseg.network.forward import NetworkForward
from uteroseg.network.save import load_network
from uteroseg.training.cache import prepare_case


def evaluate_run(
    dataset: Dataset,
    cases: Sequence[CaseId],
    folder: Path,
    on_case: Callable[[int], None] = lambda done: None,
    *,
    predictions: str = "predictions",
) -> list[dict[str, Any]]:
    """Predict test cases with ``folder/model`` and measure them.

    Parameters
    ----------
    dataset : Dataset
    cases : sequence of CaseId
    folder : Path
        A run's.
    on_case : callable
        Told how many cases are done.
    predictions : str
        Folder below it for the masks.

    Raises
    ------
    UserError
        If a case cannot be predicted or measured; the first such case is named.
    """
    forward = _forward(folder / "model")
    (folder / predictions).mkdir(parents=True)

    def predict(case: CaseId) -> Mask:
        # Test cases come from the cache of prepared cases: every run of an experiment sees the same ones.
        mask, _ = segment(prepare_case(dataset, case, forward.spec), forward)
        write_mask(folder / predictions / f"{case}.nii.gz", mask)
        return mask

    measured = measure_cases(dataset, cases, predict, on_case=on_case)
    if measured.problems:
        raise UserError(
            f"{len(measured.problems)} test cases could not be evaluated; the first: {measured.problems[0]}",
            expected="test cases that can be predicted and measured.",
            fix="mend these cases, or take them out of the test split.",
        )
    return measured.rows


def draw_overlays(
    datasets: Mapping[str, Dataset], rows: Sequence[dict[str, Any]], folder: Path
) -> dict[Rank, Overlay]:
    """Draw the worst, median and best case by DSC into ``folder/overlays``.

    Parameters
    ----------
    datasets : mapping
        Each test set's dataset.
    rows : sequence of dict
        As in ``cases.csv``.
    folder : Path
        The run's, with ``predictions/<test set>``.
    """
    (folder / "overlays").mkdir()
    pictures: dict[Rank, Overlay] = {}
    for rank, row in worst_median_best(rows).items():
        case, dataset = CaseId.parse(row["case"]), datasets[row["test_set"]]
        study, file = dataset.load_study(case), f"overlays/{rank}.png"
        overlay(
            PreparedStudy(study).high_b,
            read_mask(folder / "predictions" / row["test_set"] / f"{case}.nii.gz"),
            truth=dataset.load_mask(case),
            caption=f"{case} · DSC {row['dsc']:.2f}",
            tiles=1,
        ).save(folder / file)
        pictures[rank] = Overlay(case=row["case"], dsc=row["dsc"], file=file)
    return pictures


def _forward(model: Path) -> Forward:
    """The network on a GPU; ONNX Runtime, twice as fast, on a CPU, with the threads that torch has."""
    if torch.cuda.is_available():
        network, card = load_network(model)
        return NetworkForward(network.cuda(), card.spec)
    return OnnxEngine(model, threads=torch.get_num_threads())
