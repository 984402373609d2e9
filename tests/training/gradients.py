"""The gradients of one step on a dataset; a script, since each of several processes runs it once more."""

import os
import sys
from pathlib import Path

import torch

from uteroseg.dataset.store import Dataset
from uteroseg.model.spec import ModelSpec
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import train_only
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import dice_cross_entropy, make_batch, make_fabric


def gradients(root: Path, devices: int) -> dict[str, torch.Tensor]:
    """By parameter, of a batch of eight slices over one or several processes, with norms frozen."""
    spec = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
    dataset = Dataset.open(root)
    data = load_training_data([(dataset, dataset.cases("cervical"), 1.0)], spec)
    fabric = make_fabric(devices)
    fabric.launch()
    network = build_network(spec, seed=1)
    train_only(network, ["stem", "stage1", "stage2", "aspp", "decoder", "head"])
    for module in network.modules():  # norms and dropout frozen
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Dropout)):
            module.eval()
    trained = [p for p in network.parameters() if p.requires_grad]
    model, _ = fabric.setup(network, torch.optim.SGD(trained, 0.1))
    images, targets = make_batch(
        data, spec, 8, seed=1, step=3, rank=fabric.global_rank, world=fabric.world_size
    )
    assert len(images) == 8 // devices
    fabric.backward(dice_cross_entropy(model(images), targets, per_sample=True))
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


if __name__ == "__main__":
    found = gradients(Path(sys.argv[1]), devices=2)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        torch.save(found, sys.argv[2])
