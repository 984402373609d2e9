"""What a folder of ours is: dataset, model, predictions, evaluation, experiment; from its tables and JSON."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uteroseg.dataset.readers import cases_by_reader
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.intake.original import ORIGINAL
from uteroseg.model.folder import CARD, read_card


@dataclass(frozen=True)
class Folder:
    """What a folder is.

    Parameters
    ----------
    kind : str
        Such as ``dataset``.
    summary : str
        One sentence.
    details : mapping
        For ``--json`` and, line by line, for a person.
    """

    kind: str
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


def what_is(path: Path) -> Folder:
    """Say what a folder is.

    Raises
    ------
    UserError
        If it is none of ours, or broken.
    """
    if path.is_dir():
        for holds, describe in _KINDS:
            if all((path / name).exists() for name in holds):
                return describe(path)
    elif not path.exists():
        raise UserError(
            f"{path} does not exist.", expected="a folder.", fix="check the path for a typing error."
        )
    raise UserError(
        f"{path} is no folder of uteroseg.",
        expected="a dataset, a model, predictions, an evaluation, an experiment, or an export for nnU-Net.",
        fix="name the folder itself, not one above or below it; a dry run of 'uteroseg ingest' says what "
        "a folder of images holds.",
    )


def _dataset(path: Path) -> Folder:
    dataset = Dataset.open(path)
    cases = dataset.cases()
    cohorts: dict[str, dict[str, int]] = {}
    for person in dataset.participants.values():
        counts = cohorts.setdefault(person.cohort, {"patients": 0, "cases": 0, "annotated": 0})
        counts["patients"] += 1
        counts[f"split {person.split}"] = counts.get(f"split {person.split}", 0) + 1
    for case in cases:
        counts = cohorts[dataset.participant(case).cohort]
        counts["cases"] += 1
        counts["annotated"] += dataset.has_mask(case)
    b_values = Counter(_b_values(dataset.root / case.dwi("bval")) for case in cases)
    sources = Counter(person.source for person in dataset.participants.values())
    readers = {reader: len(theirs) for reader, theirs in cases_by_reader(dataset, cases).items()}
    virtual = sources["virtual"]
    who = f"{'virtual ' if virtual == len(dataset.participants) > 0 else ''}patients"
    some = f", {virtual} of them virtual" if 0 < virtual < len(dataset.participants) else ""
    return Folder(
        "dataset",
        f"a dataset (BIDS): {len(cases)} cases of {len(dataset.participants)} {who}{some}",
        {
            "cohorts": cohorts,
            "sources": dict(sources),
            "virtual_patients": virtual,
            "with_t2": sum(map(dataset.has_t2, cases)),
            "b_values": dict(b_values.most_common()),
            "readers": readers,
            "predictions": sorted(one.name for one in (path / "derivatives/predictions").glob("*/")),
        },
    )


def _b_values(path: Path) -> str:
    try:
        return ", ".join(path.read_text("utf-8").split())
    except (OSError, ValueError):
        return "unreadable"


def _model(path: Path) -> Folder:
    card = read_card(path)
    trained = ", ".join(f"{number} {cohort}" for cohort, number in card.training.cases.items())
    return Folder(
        "model",
        f"a model: strategy {card.training.strategy}, trained on {trained} cases",
        {
            "id": card.id,
            "strategy": card.training.strategy,
            "training_cases": card.training.cases,
            "unannotated_cases": card.training.unannotated_cases,
            "virtual_patients": card.training.virtual,
            "encoder": card.spec.encoder,
            "spacing_mm": card.spec.spacing_mm,
            "matrix": list(card.spec.matrix),
            "channels": list(card.spec.channels),
            "steps": card.training.total_steps or card.training.steps,
            "validation_dsc": card.training.validation_dsc,
            "source_model": card.training.source_model,
            "licence": card.licence,
            "intended_use": card.intended_use,
        },
    )


def _predictions(path: Path) -> Folder:
    rows = _rows(path / "predictions.csv")
    failed = [row["case"] for row in rows if row.get("error")]
    first = next((path / row["case"] / "result.json" for row in rows if not row.get("error")), None)
    model = read_json(first).get("model", {}) if first and first.is_file() else {}
    return Folder(
        "predictions",
        f"predictions of {len(rows) - len(failed)} studies, {len(failed)} failed",
        {
            "predicted": len(rows) - len(failed),
            "failed": failed,
            "with_warnings": sum(bool(row.get("warnings")) for row in rows),
            "model": model,
        },
    )


def _evaluation(path: Path) -> Folder:
    summary = read_json(path / "summary.json")
    groups = summary.get("groups") or {}
    patients = {name: group.get("patients") for name, group in groups.items() if isinstance(group, dict)}
    return Folder(
        "evaluation",
        f"an evaluation of {len(_rows(path / 'cases.csv'))} cases",
        {"patients": patients, "nsd_tolerance_mm": summary.get("nsd_tolerance_mm")},
    )


def _experiment(path: Path) -> Folder:
    runs = [one for one in (path / "runs").glob("[!.]*") if one.is_dir()]
    records = [read_json(run / "run.json") for run in runs if (run / "run.json").is_file()]
    if not records and (kept := path / "runs.jsonl").is_file():
        records = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    return Folder(
        "experiment",
        f"an experiment with {len(records)} finished runs"
        f"{'' if (path / 'report.html').is_file() else ', no report yet'}",
        {
            "finished_runs": len(records),
            "failed_runs": sum((run / "error.json").is_file() for run in runs),
            "strategies": sorted({str(record.get("strategy")) for record in records}),
            "target_cases": sorted({int(record.get("target_cases", 0)) for record in records}),
            "seeds": sorted({int(record.get("seed", 0)) for record in records}),
            "virtual_patients": any(record.get("virtual") for record in records),
            "report": (path / "report.html").is_file(),
        },
    )


def _nnunet(path: Path) -> Folder:
    description = read_json(path / "dataset.json")
    original = (path / ORIGINAL).is_dir()
    return Folder(
        "nnunet",
        f"a raw dataset of nnU-Net with {description.get('numTraining')} training cases"
        f"{', exported by uteroseg' if original else ''}",
        {
            "channels": description.get("channel_names") or description.get("modality"),
            "labels": description.get("labels"),
            "original": original,
        },
    )


def _unfinished(path: Path) -> Folder:
    model = path.name.removesuffix(".training")
    return Folder(
        "training",
        f"the checkpoint of a training that has not ended; the command that makes {model} goes on from it",
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


_KINDS: tuple[tuple[tuple[str, ...], Callable[[Path], Folder]], ...] = (
    (("dataset_description.json", "participants.tsv"), _dataset),
    ((CARD,), _model),
    (("predictions.csv",), _predictions),
    (("cases.csv", "summary.json"), _evaluation),
    (("experiment.yaml",), _experiment),
    (("dataset.json", "imagesTr"), _nnunet),
    (("checkpoint.pt",), _unfinished),
)
