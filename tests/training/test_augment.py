import pytest
import torch

from uteroseg.training import augment as module
from uteroseg.training.augment import augment


def make_slices(n=32, size=48):
    """A body whose signal decays with an ADC of 1.5 everywhere, and 0.8 in a tumour."""
    images = torch.zeros(n, 4, size, size)
    images[:, 0, 6:42, 6:42] = 1.0
    images[:, 2, 6:42, 6:42] = 1.5
    images[:, 0, 18:30, 14:26] = 2.0
    images[:, 2, 18:30, 14:26] = 0.8
    images[:, 3, 18:30, 14:26] = 1
    images[:, 1] = images[:, 0] * torch.exp(-images[:, 2])
    return images, torch.zeros(n)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def still(monkeypatch, *but):
    """Switch every variation off but some."""
    names = {"ROTATION_DEG", "LOG_SCALE", "SHIFT", "ELASTIC", "PHASE_SHIFT"}
    names |= {"GAIN", "CONTRAST", "GHOST", "BLUR", "NOISE"}
    for name in names - set(but):
        monkeypatch.setattr(module, name, 0.0)


def test_image_and_target_move_together():
    images, low_b = make_slices()
    channels, tumour = augment(images, low_b, "sagittal", generator())
    targets = (tumour >= 0.5).float()
    bright = (channels[:, :1] > 1.5).float()
    overlap = 2 * (bright * targets).sum() / (bright.sum() + targets.sum())
    assert overlap > 0.85
    assert not torch.equal(targets, images[:, 3:])
    assert 0 <= tumour.min() < tumour.max() <= 1


def test_the_generator_decides_everything():
    images, low_b = make_slices(4)
    first, again, other = (augment(images, low_b, "axial", generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_without_variation_nothing_changes(monkeypatch):
    still(monkeypatch)
    images, low_b = make_slices(3)
    channels, targets = augment(images, low_b, "sagittal", generator())
    torch.testing.assert_close(channels, images[:, :3], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(targets, images[:, 3:], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("low", "tolerance"), [(0.0, 1e-4), (100.0, 1e-4)])
def test_adc_is_recomputed_from_the_noisy_images(monkeypatch, low, tolerance):
    """Where the images hold the decay that ADC says, the new ADC is the new images' decay."""
    still(monkeypatch, "NOISE", "GAIN", "CONTRAST", "BLUR", "GHOST")
    images, _ = make_slices(8)
    span = (1000 - low) * 1e-3
    images[:, 1] = images[:, 0] * torch.exp(-images[:, 2] * span)
    channels, _ = augment(images, torch.full((8,), low), "sagittal", generator())
    inside = (images[:, 2] > 0) & (channels[:, 2] > 0) & (channels[:, 2] < 4) & (channels[:, 1] > 0.01)
    decay = -(channels[:, 1] / channels[:, 0]).log() / span
    assert inside.float().mean() > 0.3
    torch.testing.assert_close(channels[:, 2][inside], decay[inside], atol=tolerance, rtol=1e-3)
    assert (channels[:, 2] - images[:, 2]).abs()[inside].mean() > 0.01


def test_noise_is_rician_and_never_negative(monkeypatch):
    still(monkeypatch, "NOISE")
    images, low_b = make_slices(64)
    channels, _ = augment(images, low_b, "sagittal", generator())
    assert channels.min() >= 0
    air = channels[:, 0, :4]
    ratio = air.mean(dim=(1, 2)) / air.std(dim=(1, 2))
    assert ratio.median() == pytest.approx(1.913, rel=0.05)  # Rayleigh: sqrt(pi / (4 - pi))


@pytest.mark.parametrize(("plane", "mirrored"), [("sagittal", 0), ("axial", 1), ("coronal", 1)])
def test_left_and_right_change_places_only_where_the_plane_shows_both(monkeypatch, plane, mirrored):
    still(monkeypatch)
    images, low_b = make_slices(64)
    _, targets = augment(images, low_b, plane, generator())
    left, right = (targets[..., columns].sum(dim=(1, 2, 3)) for columns in (slice(24), slice(24, 48)))
    on_the_other_side = (right > left).float()
    assert (0.25 < on_the_other_side.mean() < 0.75) == bool(mirrored)
    assert mirrored or not on_the_other_side.any()


def test_air_comes_in_from_outside_and_has_no_adc(monkeypatch):
    still(monkeypatch, "SHIFT")
    images, low_b = make_slices(16)
    images[:, 0] = 1.0
    images[:, 1] = 0.3
    images[:, 2] = 1.2
    channels, _ = augment(images, low_b, "sagittal", generator())
    assert (channels[:, 0] == 0).any()
    assert (channels[:, 2][channels[:, 0] == 0] == 0).all()
