"""Predict and measure a model's test cases inside a run's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.cases import Place, measure_cases, worst_median_best
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.nifti import read_mask, write_mask
from uteroseg.imaging.study import Mask
from uteroseg.inference.overlay import overlay
from uteroseg.model.folder import ONNX, read_card
from uteroseg.model.prepare import high_b_image, mask_from_output, normalise
from uteroseg.network.save import load_network
from uteroseg.results.runs import Overlay
from uteroseg.training.cache import prepare_case

_BATCH = 16


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
    spec, probability = read_card(folder / "model").spec, _engine(folder / "model")
    (folder / predictions).mkdir(parents=True)

    def predict(case: CaseId) -> Mask:
        # Test cases come from the cache of prepared cases: every run of an experiment sees the same ones.
        slices = prepare_case(dataset, case, spec).slices[:, :3].astype(np.float32)
        output = probability(normalise(slices, spec))
        mask, _ = mask_from_output(output, dataset.load_mask(case).geometry, spec)
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
) -> dict[Place, Overlay]:
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
    pictures: dict[Place, Overlay] = {}
    for place, row in worst_median_best(rows).items():
        case, dataset = CaseId.parse(row["case"]), datasets[row["test_set"]]
        study, file = dataset.load_study(case), f"overlays/{place}.png"
        overlay(
            high_b_image(study, study.fit()),
            read_mask(folder / "predictions" / row["test_set"] / f"{case}.nii.gz"),
            truth=dataset.load_mask(case),
            caption=f"{case} · DSC {row['dsc']:.2f}",
            tiles=1,
        ).save(folder / file)
        pictures[place] = Overlay(case=row["case"], dsc=row["dsc"], file=file)
    return pictures


def _engine(model: Path) -> Callable[[Array], Array]:
    """What gives the probability of every pixel: torch on a GPU; ONNX Runtime, twice as fast, on a CPU."""
    if torch.cuda.is_available():
        network = load_network(model)[0].cuda().eval()

        def on_gpu(slices: Array) -> Array:
            with torch.inference_mode():
                output = torch.sigmoid(network(torch.from_numpy(slices).cuda()))
            return np.asarray(output[:, 0].cpu().numpy())

        run = on_gpu
    else:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()  # by default it would take every core
        session = onnxruntime.InferenceSession(str(model / ONNX), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def on_cpu(slices: Array) -> Array:
            return np.asarray(session.run(None, {name: slices})[0][:, 0])

        run = on_cpu
    return lambda slices: np.concatenate([run(slices[i : i + _BATCH]) for i in range(0, len(slices), _BATCH)])
