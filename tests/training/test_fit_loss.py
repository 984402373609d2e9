import pytest
import torch

from uteroseg.training.fit import dice_cross_entropy


def square(n=2):
    target = torch.zeros(n, 1, 8, 8)
    target[:, :, 2:5, 2:5] = 1
    return target


@pytest.mark.parametrize("per_sample", [False, True])
def test_the_loss_is_small_when_right_and_moves_without_tumour(per_sample):
    target = square()
    right, wrong = (20 * (2 * target - 1), 20 * (1 - 2 * target))
    small, large = (dice_cross_entropy(x, target, per_sample=per_sample) for x in (right, wrong))
    assert small < 0.01 < 1 < large
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    dice_cross_entropy(logits, torch.zeros_like(target), per_sample=per_sample).backward()
    assert (logits.grad > 0).all()


def test_per_sample_the_whole_is_the_mean_of_the_parts():
    torch.manual_seed(1)
    logits, target = torch.randn(4, 1, 8, 8), square(4)
    target[2:] = 0
    parts = [dice_cross_entropy(logits[i : i + 2], target[i : i + 2], per_sample=True) for i in (0, 2)]
    torch.testing.assert_close(dice_cross_entropy(logits, target, per_sample=True), sum(parts) / 2)
    batch = dice_cross_entropy(logits, target)
    assert not torch.isclose(batch, sum(parts) / 2)


@pytest.mark.parametrize("per_sample", [False, True])
def test_what_does_not_count_teaches_nothing(per_sample):
    torch.manual_seed(1)
    logits, target, counts = torch.randn(4, 1, 8, 8), square(4), torch.ones(4, 1, 8, 8)
    whole = dice_cross_entropy(logits, target, per_sample=per_sample)
    assert torch.equal(dice_cross_entropy(logits, target, counts, per_sample=per_sample), whole)
    counts[2:] = 0
    counts[0, :, 3] = 0
    logits.requires_grad_()
    losses = []
    for other in (target, 1 - target):
        other = torch.where(counts > 0, target, other)
        losses.append(dice_cross_entropy(logits, other, counts, per_sample=per_sample))
    assert losses[0] == losses[1]
    losses[0].backward()
    assert not logits.grad[counts == 0].any()
    assert logits.grad[counts > 0].all()
