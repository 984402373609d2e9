import json

import numpy as np
import onnxruntime
import pytest

from tests import tiny
from uteroseg.errors import UserError
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.plain_onnx import describe_onnx, export_plain_onnx
from uteroseg.model.prepare import PreparedStudy, SliceGrid, network_input


def test_what_spec_json_says_is_enough_to_get_the_engines_probabilities(tiny_model, tmp_path):
    card = export_plain_onnx(tiny_model, tmp_path / "onnx")
    assert {path.name for path in (tmp_path / "onnx").iterdir()} == {"model.onnx", "spec.json"}
    spec = json.loads((tmp_path / "onnx" / "spec.json").read_text("utf-8"))
    assert spec["notice"] == "Research use, not for diagnosis."
    study, _ = tiny.study(7)
    raw = PreparedStudy(study).on_matrix(SliceGrid.between(study.geometry, card.spec))
    mean, std = (
        np.array([channel[name] for channel in spec["channels"]], np.float32)[:, None, None]
        for name in ("mean", "standard_deviation")
    )
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    (found,) = session.run([spec["output"]["name"]], {spec["input"]["name"]: (raw - mean) / std})
    assert found.shape == (len(raw), *spec["output"]["shape"][1:])
    expected = OnnxEngine(tiny_model).probability(network_input(study, card.spec))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


def test_the_spec_names_what_the_model_wants(tiny_model):
    card = OnnxEngine(tiny_model).card
    spec = describe_onnx(card)
    assert spec["input"]["shape"] == ["slices", 3, 48, 48]
    assert spec["slices"]["plane"] == "sagittal"
    assert "rows run to inferior" in spec["slices"]["view"]
    assert spec["mask"]["min_component_ml"] == card.spec.min_component_ml


def test_a_folder_that_is_taken_is_left_alone(tiny_model, tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UserError, match="holds something already"):
        export_plain_onnx(tiny_model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
