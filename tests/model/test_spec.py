import itertools
import json

import pytest
from pydantic import ValidationError

from uteroseg.model.folder import CARD, ONNX, WEIGHTS, read_card
from uteroseg.model.spec import CHANNELS, ModelCard, ModelSpec

VERSION_1 = """{
  "format_version": 1,
  "id": "0123456789ab",
  "spec": {
    "architecture": "DeepLabV3Plus",
    "encoder": "tu-tf_efficientnet_lite0",
    "plane": "axial",
    "spacing_mm": 2.5,
    "matrix": [96, 96],
    "channels": ["b0", "b1000", "adc"],
    "channel_mean": [0.9, 0.3, 1.2],
    "channel_std": [0.9, 0.25, 0.8],
    "threshold": 0.5,
    "min_component_ml": 0.2
  },
  "training": {
    "strategy": "encoder-early",
    "cases": {"cervical": 115, "uterine": 13},
    "validation_cases": 3,
    "virtual": true,
    "data_fingerprint": "0123456789abcdef",
    "seed": 1,
    "steps": 120,
    "batch_size": 16,
    "seconds": 61.5,
    "final_loss": 0.2317,
    "b_values": [0.0, 1000.0],
    "slice_spacing_mm": [4.0, 5.0],
    "source_model": "ba9876543210",
    "software": {"uteroseg": "0.1.0", "torch": "2.14.1"},
    "expected_dsc": null
  },
  "licence": "Apache-2.0",
  "intended_use": "Research use only. Not for diagnosis."
}
"""


def test_a_card_of_the_first_version_is_read(tmp_path):
    for name in (WEIGHTS, ONNX):
        (tmp_path / name).touch()
    (tmp_path / CARD).write_text(VERSION_1, "utf-8")
    card = read_card(tmp_path)
    assert card.spec == ModelSpec(plane="axial")
    assert card.training.source_model == "ba9876543210"
    assert card.spec.model_dump(mode="json") == json.loads(VERSION_1)["spec"]
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize("encoder", ["resnet50", "tu-resnet50"])
def test_an_encoder_has_one_name_however_it_is_given(encoder):
    assert ModelSpec(encoder=encoder).encoder == "tu-resnet50"


@pytest.mark.parametrize(
    "channels", [chosen for n in (1, 2, 3) for chosen in itertools.combinations(CHANNELS, n)]
)
def test_any_channels_bring_their_constants_and_survive_the_file(channels):
    spec, whole = ModelSpec(channels=channels), ModelSpec()
    constants = list(zip(whole.channels, whole.channel_mean, whole.channel_std, strict=True))
    assert [c for c in constants if c[0] in channels] == list(
        zip(spec.channels, spec.channel_mean, spec.channel_std, strict=True)
    )
    assert ModelSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("channels", [("adc", "b0"), ("b1000", "b0", "adc"), ("b0", "b0"), ()])
def test_channels_in_another_order_twice_or_none_are_refused(channels):
    with pytest.raises(ValidationError, match="b0, b1000, adc, each once and in this order, not"):
        ModelSpec(channels=channels)


def test_an_unknown_channel_is_refused():
    with pytest.raises(ValidationError, match="'b0', 'b1000' or 'adc'"):
        ModelSpec(channels=("b0", "t2"))


@pytest.mark.parametrize("name", ["channel_mean", "channel_std"])
def test_constants_are_one_for_each_channel(name):
    with pytest.raises(ValidationError, match="3 values for the 2 channels b1000, adc"):
        ModelSpec(channels=("b1000", "adc"), **{name: (1.0, 1.0, 1.0)})
    with pytest.raises(ValidationError, match="greater than 0"):
        ModelSpec(channel_std=(1.0, 0.0, 1.0))
