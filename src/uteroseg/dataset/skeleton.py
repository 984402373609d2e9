"""What makes a folder a BIDS dataset of ours, before any case is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uteroseg import RESEARCH_USE, __version__
from uteroseg.dataset.layout import ANNOTATIONS
from uteroseg.dataset.participants import DESCRIPTIONS, write_participants
from uteroseg.files import staged_folder, write_json, write_text

BIDS_VERSION = "1.10.0"


def create_empty(root: Path) -> None:
    """Make a new or empty folder a dataset without cases, whole or not at all."""
    columns = {name: {"Description": text} for name, text in DESCRIPTIONS.items()}
    readme = f"Diffusion studies collected with uteroseg. {RESEARCH_USE}\n"
    with staged_folder(root) as stage:
        write_json(stage / "dataset_description.json", _description(root.resolve().name, "raw"))
        describe_derivative(stage / ANNOTATIONS, "Annotations")
        write_participants(stage / "participants.tsv", [])
        write_json(stage / "participants.json", columns)
        write_text(stage / "README", readme)
        write_text(stage / ".bidsignore", ".incoming*\n")


def describe_columns(root: Path, columns: Mapping[str, Any]) -> None:
    """Add columns to a dataset's ``participants.json``; those that are described there already stay."""
    path = root / "participants.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if missing := {name: about for name, about in columns.items() if name not in known}:
        write_json(path, {**known, **missing})


def describe_derivative(folder: Path, name: str) -> None:
    """Make a folder a BIDS derivative: its ``dataset_description.json``."""
    write_json(folder / "dataset_description.json", _description(name, "derivative"))


def made_by_uteroseg(root: Path) -> bool:
    """Whether a folder's ``dataset_description.json`` says that it is ours."""
    try:
        description = json.loads((root / "dataset_description.json").read_text("utf-8"))
        return any(tool.get("Name") == "uteroseg" for tool in description.get("GeneratedBy", []))
    except (OSError, ValueError, AttributeError):
        return False


def _description(name: str, kind: str) -> dict[str, Any]:
    return {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": kind,
        "GeneratedBy": [{"Name": "uteroseg", "Version": __version__}],
    }
