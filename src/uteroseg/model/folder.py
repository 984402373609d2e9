"""The model folder: ``model.json``, ``weights.safetensors``, ``model.onnx``."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from uteroseg.errors import UserError
from uteroseg.model.spec import FORMAT_VERSION, ModelCard

CARD, WEIGHTS, ONNX = "model.json", "weights.safetensors", "model.onnx"


def read_card(folder: Path) -> ModelCard:
    """Check that a model folder is whole, and read its ``model.json``.

    Raises
    ------
    UserError
        If a file is missing, or ``model.json`` is broken or of a newer version.
    """
    missing = [name for name in (CARD, WEIGHTS, ONNX) if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} is not a whole model: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing.",
            expected=f"a folder with {CARD}, {WEIGHTS} and {ONNX}.",
            fix="copy the model again, or make one with 'uteroseg train'.",
        )
    try:
        values = json.loads((folder / CARD).read_text("utf-8"))
        if isinstance(values, dict) and values.get("format_version", 0) > FORMAT_VERSION:
            raise UserError(
                f"{folder / CARD} has format version {values['format_version']}.",
                expected=f"version {FORMAT_VERSION} or older.",
                fix="install a newer uteroseg.",
            )
        return ModelCard.model_validate(values)
    except (ValueError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise UserError(
            f"{folder / CARD} cannot be read ({detail}).",
            expected="the file as uteroseg wrote it.",
            fix="copy the model again.",
        ) from error
