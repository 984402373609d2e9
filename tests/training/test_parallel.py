"""Two processes compute what one does."""

import subprocess
import sys
from pathlib import Path

import torch

SCRIPT = """
import sys
import torch
from tests import tiny
from uteroseg.dataset.store import Dataset
from uteroseg.model.spec import ModelSpec
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import train_only
from uteroseg.training.batch import make_batch
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import make_fabric
from uteroseg.training.loss import dice_cross_entropy

root, out, devices = sys.argv[1], sys.argv[2], int(sys.argv[3])
spec = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
dataset = Dataset.open(__import__("pathlib").Path(root))
data = load_training_data([(dataset, dataset.cases("cervical"), 1.0)], spec)
fabric = make_fabric(devices)
fabric.launch()
network = build_network(spec, seed=1)
train_only(network, ["stem", "stage1", "stage2", "aspp", "decoder", "head"])
for module in network.modules():  # norms and dropout frozen
    if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Dropout)):
        module.eval()
model, _ = fabric.setup(network, torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1))
images, targets = make_batch(
    data, spec, 8, seed=1, step=3, rank=fabric.global_rank, world=fabric.world_size
)
assert len(images) == 8 // devices
fabric.backward(dice_cross_entropy(model(images), targets, per_sample=True))
if fabric.is_global_zero:
    torch.save({n: p.grad for n, p in network.named_parameters() if p.grad is not None}, out)
"""


def gradients(tmp_path, root, devices):
    script, out = tmp_path / "script.py", tmp_path / f"gradients{devices}.pt"
    script.write_text(SCRIPT)
    environment = {**__import__("os").environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(
        [sys.executable, str(script), str(root), str(out), str(devices)],
        check=True,
        env=environment,
        capture_output=True,
        timeout=200,
    )
    return torch.load(out, weights_only=True)


def test_two_processes_have_the_gradients_of_one(tiny_cohorts, tmp_path):
    one, two = (gradients(tmp_path, tiny_cohorts.root, devices) for devices in (1, 2))
    assert one.keys() == two.keys()
    assert len(one) > 50
    assert any(gradient.abs().max() > 1e-3 for gradient in one.values())
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, atol=1e-5, rtol=1e-5, msg=name)
