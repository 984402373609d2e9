"""Write and read the model folder's network files."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from uteroseg.errors import UserError
from uteroseg.files import staged_folder, write_text
from uteroseg.model.engine import SPEC_KEY
from uteroseg.model.folder import CARD, ONNX, WEIGHTS, read_card
from uteroseg.model.spec import ModelCard, ModelSpec, TrainingRecord
from uteroseg.network.deeplab import build_network


def save_model(
    network: nn.Module, spec: ModelSpec, record: TrainingRecord, folder: Path, *, log: Path | None = None
) -> ModelCard:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    network : Module
    spec : ModelSpec
    record : TrainingRecord
    folder : Path
    log : Path, optional
        Folder with what was logged while training, that is copied to ``training``.

    Raises
    ------
    UserError
        If the folder holds something already.
    """
    network = network.cpu().eval()
    with staged_folder(folder) as stage:
        state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(state, stage / WEIGHTS)
        export_onnx(network, spec, stage / ONNX)
        digest = hashlib.sha256((stage / WEIGHTS).read_bytes()).hexdigest()[:12]
        card = ModelCard(id=digest, spec=spec, training=record)
        if log is not None:
            shutil.copytree(log, stage / "training")
        write_text(stage / CARD, card.model_dump_json(indent=2) + "\n")
    return card


def load_network(folder: Path) -> tuple[nn.Module, ModelCard]:
    """Read a model folder to adapt from.

    Raises
    ------
    UserError
        If it is not whole, or its weights do not fit its ``model.json``.
    """
    card = read_card(folder)
    network = build_network(card.spec, seed=0)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        # torch's first line only says that there are errors.
        lines = str(error).splitlines()
        raise UserError(
            f"{folder / WEIGHTS} does not fit model.json ({lines[min(1, len(lines) - 1)].strip()}).",
            expected="files of one model.",
            fix="copy the whole model folder again.",
        ) from error
    return network, card


def export_onnx(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write the network with its sigmoid as ONNX, any number of slices, the ModelSpec in its metadata."""
    import onnx

    with warnings.catch_warnings():
        # The exporter through torch.export takes 15 s for this network where this one takes 1 s, and both
        # agree with torch to 10⁻⁷.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            nn.Sequential(network, nn.Sigmoid()).eval(),
            (torch.zeros(2, len(spec.channels), *spec.matrix),),
            str(path),
            input_names=["slices"],
            output_names=["probability"],
            dynamic_axes={"slices": {0: "n"}, "probability": {0: "n"}},
            dynamo=False,
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {SPEC_KEY: spec.model_dump_json()})
    onnx.save(model, path)
