"""The gradients of one step on a dataset; a script, since each of several processes runs it once more."""

import os
import sys
from pathlib import Path

import torch

from uteroseg.dataset.store import Dataset
from uteroseg.model.spec import ModelSpec
from uteroseg.model.strategy import Unannotated
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import train_only
from uteroseg.training.batch import make_batch
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import dice_cross_entropy, make_fabric
from uteroseg.training.teacher import Teacher


def gradients(root: Path, devices: int) -> dict[str, torch.Tensor]:
    """By parameter, of a batch of eight slices over one or several processes, with norms frozen.

    Four of the slices are taught; of their pixels some count and some do not.
    """
    spec = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
    dataset = Dataset.open(root)
    unannotated = (dataset, dataset.cases("uterine"), 0.5)
    data = load_training_data([(dataset, dataset.cases("cervical"), 1.0)], spec, unannotated=unannotated)
    fabric = make_fabric(devices)
    fabric.launch()
    network = build_network(spec, seed=1)
    train_only(network, ["stem", "stage1", "stage2", "aspp", "decoder", "head"])
    for module in network.modules():  # norms and dropout frozen
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Dropout)):
            module.eval()
    trained = [p for p in network.parameters() if p.requires_grad]
    model, _ = fabric.setup(network, torch.optim.SGD(trained, 0.1))
    how = Unannotated(share=0.5, unsure=(0.497, 0.5))
    teacher = Teacher(network, how, steps=4, tumour_share=0.1, fabric=fabric)
    batch = make_batch(
        data, spec, 8, seed=1, step=3, rank=fabric.global_rank, world=fabric.world_size, teacher=teacher
    )
    assert len(batch.images) == 8 // devices
    assert batch.counts is not None
    assert devices > 1 or 0.5 < batch.counts.mean() < 1
    fabric.backward(dice_cross_entropy(model(batch.images), batch.targets, batch.counts, per_sample=True))
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


if __name__ == "__main__":
    found = gradients(Path(sys.argv[1]), devices=2)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        torch.save(found, sys.argv[2])
