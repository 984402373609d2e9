"""The record: the key, and every file of the dataset, with its text where it is one."""

import json
from pathlib import Path

FILE = Path(__file__).with_name("record.json")
_TEXT = {".tsv", ".json", ".bval", ".bvec", ""}


def record_of(dataset):
    """What is in a dataset: the text of each file, None for an image."""
    files = sorted(path for path in dataset.rglob("*") if path.is_file())
    return {
        path.relative_to(dataset).as_posix(): path.read_text("utf-8") if path.suffix in _TEXT else None
        for path in files
    }


def keys_in(record):
    """The keyed hashes in the sidecars of studies, by file."""
    return {
        name: {key: value for key, value in json.loads(text).items() if key.endswith("_key")}
        for name, text in record.items()
        if name.endswith("_dwi.json")
    }
