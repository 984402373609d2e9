import json
import shutil

import numpy as np
import pytest
import torch

from uteroseg.errors import UserError
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.folder import read_card
from uteroseg.model.spec import ModelSpec, TrainingRecord
from uteroseg.network.deeplab import build_network
from uteroseg.network.save import load_network, save_model

RECORD = TrainingRecord(
    strategy="scratch",
    cases={"cervical": 3},
    virtual=True,
    data_fingerprint="f",
    seed=1,
    steps=2,
    batch_size=4,
    seconds=1.0,
    final_loss=0.5,
    b_values=[0, 1000],
    slice_spacing_mm=[5.0],
    software={},
)
SPEC = ModelSpec(matrix=(64, 48))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    network = build_network(SPEC, seed=3)
    card = save_model(network, SPEC, RECORD, folder)
    return folder, network, card


def test_a_model_comes_back_with_its_weights_and_card(saved):
    folder, network, card = saved
    loaded, read = load_network(folder)
    assert read == card == read_card(folder)
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])


@pytest.mark.parametrize("slices", [1, 8, 11])
def test_onnx_gives_what_torch_gives(saved, slices):
    folder, network, _ = saved
    image = np.random.default_rng(1).normal(size=(slices, 3, 64, 48)).astype(np.float32)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(image)).sigmoid()[:, 0].numpy()
    np.testing.assert_allclose(OnnxEngine(folder).probability(image), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_network():
    one, two, other = (build_network(SPEC, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert not torch.equal(one["encoder.model.conv_stem.weight"], other["encoder.model.conv_stem.weight"])


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "model.onnx"])
def test_a_model_that_lacks_a_file_is_refused_by_name(saved, tmp_path, name):
    folder = shutil.copytree(saved[0], tmp_path / "copy")
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        OnnxEngine(folder)
    with pytest.raises(UserError, match=f"{name} is missing"):
        load_network(folder)


def broken(folder, change):
    values = json.loads((folder / "model.json").read_text())
    change(values)
    (folder / "model.json").write_text(json.dumps(values))


def test_a_broken_newer_or_foreign_model_is_refused(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "newer")
    broken(folder, lambda values: values.update(format_version=2))
    with pytest.raises(UserError, match="format version 2"):
        read_card(folder)
    broken(folder, lambda values: (values.update(format_version=1), values["spec"].pop("encoder", None)))
    broken(folder, lambda values: values["spec"].update(matrix="wide"))
    with pytest.raises(UserError, match=r"spec\.matrix"):
        read_card(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        read_card(folder)

    other = shutil.copytree(saved[0], tmp_path / "other")
    broken(other, lambda values: values["spec"].update(matrix=[96, 96]))
    with pytest.raises(UserError, match="different models"):
        OnnxEngine(other)

    cut = shutil.copytree(saved[0], tmp_path / "cut")
    for name in ("model.onnx", "weights.safetensors"):
        data = (cut / name).read_bytes()
        (cut / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="cannot be loaded"):
        OnnxEngine(cut)
    with pytest.raises(UserError, match=r"does not fit model\.json"):
        load_network(cut)


@pytest.mark.parametrize("channels", [["adc"], ["b1000", "adc"]])
def test_weights_for_other_channels_than_the_cards_are_refused(saved, tmp_path, channels):
    folder = shutil.copytree(saved[0], tmp_path / "channels")
    constants = [1.0] * len(channels)
    broken(
        folder,
        lambda values: values["spec"].update(
            channels=channels, channel_mean=constants, channel_std=constants
        ),
    )
    with pytest.raises(UserError, match=r"does not fit model\.json \(size mismatch for .*conv_stem\.weight"):
        load_network(folder)
    with pytest.raises(UserError, match="different models"):
        OnnxEngine(folder)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (["b1000", "b0", "adc"], r"spec\.channels: .* each once and in this order, not b1000, b0, adc"),
        (["b0", "b0", "adc"], r"spec\.channels: .* each once and in this order, not b0, b0, adc"),
        ([], r"spec\.channels: .* not none"),
        (["b0", "b1000", "t2"], r"spec\.channels\.2: .* 'b0', 'b1000' or 'adc'"),
    ],
)
def test_a_card_with_other_channels_or_another_order_is_refused(saved, tmp_path, channels, message):
    folder = shutil.copytree(saved[0], tmp_path / "order")
    broken(folder, lambda values: values["spec"].update(channels=channels))
    for read in (load_network, OnnxEngine):
        with pytest.raises(UserError, match=rf"model\.json cannot be read \({message}"):
            read(folder)


def test_a_card_with_an_encoder_that_timm_does_not_know_is_refused(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "encoder")
    broken(folder, lambda values: values["spec"].update(encoder="tu-tf_efficientnet_lit0"))
    with pytest.raises(UserError, match="tf_efficientnet_lite0"):
        load_network(folder)


def test_a_taken_folder_is_left_alone(saved):
    folder, network, _ = saved
    before = sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir())
    with pytest.raises(UserError, match="holds something already"):
        save_model(network, SPEC, RECORD, folder)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir()) == before
