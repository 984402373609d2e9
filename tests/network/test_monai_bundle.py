import ast
import json
import sys

import numpy as np
import pytest
import torch

from tests import tiny
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.view import View
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.prepare import network_input
from uteroseg.model.spec import ModelSpec
from uteroseg.network.monai_bundle import export_monai, inference_config


@pytest.fixture(scope="module")
def bundle(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("monai") / "bundle"
    export_monai(tiny_model, folder)
    return folder


def test_its_network_gives_the_engines_probabilities(bundle, tiny_model):
    engine = OnnxEngine(tiny_model)
    slices = network_input(tiny.study(7)[0], engine.card.spec)
    network = torch.jit.load(bundle / "models" / "model.ts")
    for batch in (slices, slices[:1]):
        with torch.no_grad():
            found = network(torch.from_numpy(batch))[:, 0].numpy()
        np.testing.assert_allclose(found, engine.probability(batch), atol=1e-4)


def test_it_holds_what_the_specification_of_bundles_asks_for(bundle):
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert files == {
        "configs/inference.json",
        "configs/metadata.json",
        "docs/README.md",
        "docs/model.json",
        "models/model.ts",
        "scripts/__init__.py",
        "scripts/monai_channels.py",
    }
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text("utf-8"))
    wanted = {"version", "changelog", "monai_version", "pytorch_version", "numpy_version", "task"}
    wanted |= {"required_packages_version", "description", "authors", "copyright", "network_data_format"}
    assert wanted <= metadata.keys()
    assert metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] == [48, 48]
    assert "virtual patients" in (bundle / "docs" / "README.md").read_text("utf-8")


def test_its_script_needs_no_uteroseg(bundle):
    tree = ast.parse((bundle / "scripts" / "monai_channels.py").read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert imported - sys.stdlib_module_names == {"nibabel", "numpy", "torch", "monai"}


@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
def test_slices_are_turned_as_the_network_knows_them(plane):
    """A study whose axes point where the bundle turns them to needs no turn in uteroseg."""
    transforms = inference_config(ModelSpec(plane=plane))["preprocessing"]["transforms"]
    axes = next(t["axcodes"] for t in transforms if t["_target_"] == "Orientationd")
    direction = {"R": (-1, 0, 0), "L": (1, 0, 0), "A": (0, -1, 0), "P": (0, 1, 0)}
    direction |= {"S": (0, 0, 1), "I": (0, 0, -1)}
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([direction[letter] for letter in axes])
    geometry = Geometry((2, 3, 4), affine)
    view = View.of(geometry)
    assert geometry.plane == plane
    assert not any((view.transpose, view.flip_rows, view.flip_columns))


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a whole model"):
        export_monai(tmp_path, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
