"""A model as a MONAI bundle: ``python -m monai.bundle run`` predicts with it where uteroseg is not installed.

The bundle holds the network as TorchScript, what is done before and after it as MONAI's own transforms, and
one script that makes the network's channels from the images at every b-value.

References
----------
MONAI bundle specification, https://docs.monai.io/en/stable/mb_specification.html
"""

from __future__ import annotations

import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from uteroseg import RESEARCH_USE, __version__
from uteroseg.files import staged_folder, write_json, write_text
from uteroseg.imaging.geometry import Plane
from uteroseg.imaging.quality import BODY_SHARE
from uteroseg.model.prepare import HIGH_B, MAX_ADC, SAME_B
from uteroseg.model.spec import ModelCard, ModelSpec
from uteroseg.network import monai_channels
from uteroseg.network.save import load_network

MONAI_VERSION = "1.6.1"
"""What bundles were run with, like these packages."""
_PACKAGES = {"fire": "0.7.1", "nibabel": "5.4.2", "pytorch-ignite": "0.5.5", "scikit-image": "0.26.0"}
_CONFIG = "configs/inference.json"
RUN = f"python -m monai.bundle run --config_file {_CONFIG} --dataset_dir INPUT --output_dir OUTPUT"

# Where the axes [slice, row, column] point to in the radiologist's view, in the letters of nibabel.
_AXES: dict[Plane, str] = {"sagittal": "LIP", "coronal": "PIL", "axial": "SPL"}


def export_monai(model: Path, folder: Path) -> ModelCard:
    """Write a model as a MONAI bundle, whole or not at all.

    Parameters
    ----------
    model : Path
        A model folder.
    folder : Path
        The bundle; new or empty.

    Raises
    ------
    UserError
        If the model is not whole or the folder holds something already.
    """
    network, card = load_network(model)
    with staged_folder(folder) as stage:
        for name in ("configs", "models", "scripts", "docs"):
            (stage / name).mkdir()
        _save_torchscript(network, card.spec, stage / "models" / "model.ts")
        write_json(stage / _CONFIG, inference_config(card.spec))
        write_json(stage / "configs" / "metadata.json", _metadata(card))
        write_text(stage / "scripts" / "__init__.py", "")
        shutil.copyfile(monai_channels.__file__, stage / "scripts" / "monai_channels.py")
        write_text(stage / "docs" / "README.md", _readme(card))
        shutil.copyfile(model / "model.json", stage / "docs" / "model.json")
    return card


def inference_config(spec: ModelSpec) -> dict[str, Any]:
    """``configs/inference.json``: from a folder of ``*_dwi.nii.gz`` with ``.bval`` to masks."""
    before = [
        _use("LoadImaged", keys="image"),
        _use("EnsureChannelFirstd", keys="image", channel_dim=-1),
        {
            "_target_": "scripts.monai_channels.DiffusionChannelsd",
            "channels": list(spec.channels),
            "high_b": HIGH_B,
            "same_b": SAME_B,
            "max_adc": MAX_ADC,
            "body_share": BODY_SHARE,
        },
        _use("Orientationd", keys="image", axcodes=_AXES[spec.plane]),
        _use(
            "Spacingd",
            keys="image",
            pixdim=[-1, spec.spacing_mm, spec.spacing_mm],
            mode="bilinear",
            padding_mode="border",
        ),
        _use("ResizeWithPadOrCropd", keys="image", spatial_size=[-1, *spec.matrix], mode="constant"),
        _use(
            "NormalizeIntensityd",
            keys="image",
            subtrahend=list(spec.channel_mean),
            divisor=list(spec.channel_std),
            channel_wise=True,
        ),
    ]
    after = [
        _use("Invertd", keys="pred", transform="@preprocessing", orig_keys="image", nearest_interp=False),
        _use("AsDiscreted", keys="pred", threshold=spec.threshold),
        _use(
            "RemoveSmallObjectsd",
            keys="pred",
            min_size=spec.min_component_ml * 1000,
            connectivity=3,
            by_measure=True,
        ),
        _use("scripts.monai_channels.SaveMaskd", output_dir="@output_dir"),
    ]
    return {
        "imports": ["$import glob", "$import numpy", "$import os", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "input",
        "output_dir": "output",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "images": "$sorted(glob.glob(os.path.join(@dataset_dir, '**', '*_dwi.nii.gz'), recursive=True))",
        "datalist": "$[{'image': i, 'bval': i.removesuffix('.nii.gz') + '.bval'} for i in @images]",
        "network_def": {
            "_target_": "torch.jit.load",
            "f": "$@bundle_root + '/models/model.ts'",
            "map_location": "@device",
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": _use("Compose", transforms=before),
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": {
            "_target_": "SliceInferer",
            "roi_size": list(spec.matrix),
            "sw_batch_size": 8,
            "spatial_dim": 0,
        },
        "postprocessing": _use("Compose", transforms=after),
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
        },
        "run": ["$@evaluator.run()"],
    }


def _use(name: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": name, **arguments}


def _metadata(card: ModelCard) -> dict[str, Any]:
    spec = card.spec
    size = {"spatial_shape": list(spec.matrix), "dtype": "float32", "is_patch_data": False}
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": __version__,
        "changelog": {__version__: f"uteroseg model {card.id}"},
        "monai_version": MONAI_VERSION,
        "pytorch_version": version("torch").split("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": _PACKAGES,
        "task": "Tumour segmentation in pelvic diffusion-weighted MRI",
        "description": f"DeepLab V3+ ({spec.encoder}) on {spec.plane} slices, uteroseg model {card.id}.",
        "authors": "The uteroseg developers",
        "copyright": card.licence,
        "intended_use": card.intended_use,
        "name": f"uteroseg {card.id}",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "MR",
                    "num_channels": len(spec.channels),
                    "value_range": [-10, 100],
                    "channel_def": {str(i): name for i, name in enumerate(spec.channels)},
                    **size,
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "segmentation",
                    "num_channels": 1,
                    "value_range": [0, 1],
                    "channel_def": {"0": "tumour"},
                    **size,
                }
            },
        },
    }


def _readme(card: ModelCard) -> str:
    virtual = "\nIt was trained on virtual patients: what it finds in a real one means nothing clinically.\n"
    return f"""# uteroseg model {card.id}

Tumour segmentation in pelvic diffusion-weighted MRI. {RESEARCH_USE}
{virtual if card.training.virtual else ""}
In this folder, with the packages that `configs/metadata.json` names:

    {RUN}

INPUT holds `<case>_dwi.nii.gz` (one volume for each b-value) with `<case>_dwi.bval`, at any depth; OUTPUT
gets `<case>_dwi_mask.nii.gz` on the same grid. `docs/model.json` says how the model was trained.
"""


def _save_torchscript(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Trace the network with its sigmoid; it takes any number of slices."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing is deprecated, and what bundles are made of
        traced = torch.jit.trace(
            nn.Sequential(network, nn.Sigmoid()).eval(), torch.zeros(2, len(spec.channels), *spec.matrix)
        )
        torch.jit.save(traced, str(path))
