"""Predict and measure a model's test cases inside a run's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.cases import Place, measure_cases, worst_median_best
from uteroseg.imaging.nifti import read_mask, write_mask
from uteroseg.imaging.study import Mask
from uteroseg.inference.overlay import overlay
from uteroseg.inference.predict import predict_study
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.prepare import high_b_image
from uteroseg.results.runs import Overlay


def evaluate_run(
    dataset: Dataset,
    cases: Sequence[CaseId],
    folder: Path,
    on_case: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Predict test cases with ``folder/model`` into ``folder/predictions``, and measure them.

    Raises
    ------
    UserError
        If a case cannot be predicted or measured; the first such case is named.
    """
    engine = OnnxEngine(folder / "model")
    predictions = folder / "predictions"
    predictions.mkdir()

    def predict(case: CaseId) -> Mask:
        mask = predict_study(dataset.load_study(case), engine).mask
        write_mask(predictions / f"{case}.nii.gz", mask)
        return mask

    measured = measure_cases(dataset, cases, predict, on_case=on_case)
    if measured.problems:
        raise UserError(
            f"{len(measured.problems)} test cases could not be evaluated; the first: {measured.problems[0]}",
            expected="test cases that can be predicted and measured.",
            fix="mend these cases, or take them out of the test split.",
        )
    return measured.rows


def draw_overlays(dataset: Dataset, rows: Sequence[dict[str, Any]], folder: Path) -> dict[Place, Overlay]:
    """Draw the worst, median and best case by DSC into ``folder/overlays``."""
    (folder / "overlays").mkdir()
    pictures: dict[Place, Overlay] = {}
    for place, row in worst_median_best(rows).items():
        case = CaseId.parse(row["case"])
        study, file = dataset.load_study(case), f"overlays/{place}.png"
        overlay(
            high_b_image(study, study.fit()),
            read_mask(folder / "predictions" / f"{case}.nii.gz"),
            truth=dataset.load_mask(case),
            caption=f"{case} · DSC {row['dsc']:.2f}",
            tiles=1,
        ).save(folder / file)
        pictures[place] = Overlay(case=row["case"], dsc=row["dsc"], file=file)
    return pictures
