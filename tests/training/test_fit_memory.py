import pytest
import torch

from uteroseg.training.fit import out_of_memory


@pytest.mark.parametrize(("room", "fits"), [(5, 4), (2, 2), (16, 16)])
def test_the_batch_that_fits_is_found_by_trying(room, fits):
    tried = []

    def attempt(slices):
        tried.append(slices)
        if slices > room:
            raise torch.OutOfMemoryError("CUDA out of memory")

    error = out_of_memory(32, attempt)
    assert "A batch of 32 slices" in error.found
    assert f"`batch_size` to {fits}" in error.fix
    assert tried[-1] == fits


def test_a_device_for_which_even_two_slices_are_too_many_is_told():
    def attempt(slices):
        raise torch.OutOfMemoryError

    assert "not even 2 slices" in out_of_memory(8, attempt).expected
