from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uteroseg.errors import UserError
from uteroseg.experiment.records import RunRecord, read_run, write_run

FIELDS: dict[str, Any] = {
    "run": "a1b2",
    "strategy": "early_encoder",
    "target_cases": 5,
    "seed": 0,
    "source_cohort": "cervical",
    "target_cohort": "uterine",
    "virtual": True,
    "training_cases": {"cervical": 24, "uterine": 5},
    "seconds": {"train": 12.3, "evaluate": 4.5},
    "versions": {"uteroseg": "0.1.0"},
    "machine": "a laptop",
    "overlays": {"worst": {"case": "sub-0003", "dsc": 0.12, "file": "overlays/worst.png"}},
    "steps": 120,
    "settings": {"seed": 0, "spec": {"matrix": [96, 96]}},
}


def test_a_record_survives_the_round_trip(tmp_path: Path) -> None:
    record = RunRecord.model_validate(FIELDS)
    write_run(tmp_path / "run.json", record)
    assert read_run(tmp_path / "run.json") == record
    written = json.loads((tmp_path / "run.json").read_text())
    assert {name: written[name] for name in FIELDS} == FIELDS


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"target_cases": -1}, "target_cases"),
        ({"virtual": None}, "virtual"),
        ({"surprise": 1}, "surprise"),
        ({"overlays": {"worst": {"case": "a", "dsc": 1.5, "file": "a.png"}}}, "overlays.worst.dsc"),
        ({"overlays": {"ugliest": {"case": "a", "dsc": 0.5, "file": "a.png"}}}, "overlays.ugliest"),
    ],
)
def test_a_defective_record_is_refused_and_the_field_named(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(FIELDS | change))
    with pytest.raises(UserError, match=named) as caught:
        read_run(path)
    assert str(path) in caught.value.found


@pytest.mark.parametrize(
    "file", ["../secret.png", "/etc/secret.png", "C:/secret.png", "..\\secret.png", "http://x/a.png"]
)
def test_an_overlay_outside_the_run_is_refused(tmp_path: Path, file: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(FIELDS | {"overlays": {"worst": {"case": "a", "dsc": 0.5, "file": file}}}))
    with pytest.raises(UserError, match="inside the run's folder"):
        read_run(path)


def test_a_truncated_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"run": "a1')
    with pytest.raises(UserError, match="file as a whole"):
        read_run(path)


def test_a_record_of_before_steps_and_settings_were_recorded_is_read(tmp_path: Path) -> None:
    old = {name: value for name, value in FIELDS.items() if name not in ("steps", "settings")}
    (tmp_path / "run.json").write_text(json.dumps(old))
    record = read_run(tmp_path / "run.json")
    assert (record.steps, record.settings) == (0, {})
