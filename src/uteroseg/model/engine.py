"""Run a model with ONNX Runtime: no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array
from uteroseg.model.folder import ONNX, read_card
from uteroseg.model.spec import ModelCard, ModelSpec

SPEC_KEY = "uteroseg_spec"
"""Where the ONNX file's metadata holds its ModelSpec."""
_BATCH = 4
"""Slices; more of them take memory, and no less time."""


class OnnxEngine:
    """A model, ready to predict.

    Parameters
    ----------
    folder : Path
        A model folder.
    threads : int, optional
        That it may use; by default as many as there are cores.

    Raises
    ------
    UserError
        If the folder is not a whole model, or its ONNX file belongs to another one.
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        import onnxruntime

        self.card = read_card(folder)
        path = folder / ONNX
        try:
            options = onnxruntime.SessionOptions()
            # Threads that spin while they wait take the time of others on a busy computer: 0.5 s where it is
            # 0.33 s without (24 slices, 2 threads, load 6).
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.intra_op_num_threads = threads or 0
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise UserError(
                f"{path} cannot be loaded ({str(error).splitlines()[0]}).",
                expected="the network as uteroseg wrote it.",
                fix="copy the model again.",
            ) from error
        embedded = self._session.get_modelmeta().custom_metadata_map.get(SPEC_KEY)
        if embedded is None or ModelSpec.model_validate_json(embedded) != self.card.spec:
            raise UserError(
                f"{path} and model.json beside it describe different models.",
                expected="files of one model.",
                fix="copy the whole model folder again.",
            )

    @property
    def spec(self) -> ModelSpec:
        """What it sees, and how its output becomes a mask."""
        return self.card.spec

    @property
    def members(self) -> list[ModelCard]:
        """The one model that it is made of."""
        return [self.card]

    def probability(self, slices: Array) -> Array:
        """Tumour probability of every pixel.

        Parameters
        ----------
        slices : ndarray of float32, shape (slices, channels, height, width)

        Returns
        -------
        ndarray of float32, shape (slices, height, width)
        """
        batches = [slices[i : i + _BATCH] for i in range(0, len(slices), _BATCH)]
        name = self._session.get_inputs()[0].name
        return np.concatenate([self._session.run(None, {name: batch})[0][:, 0] for batch in batches])
