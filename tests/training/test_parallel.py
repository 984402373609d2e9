"""Two processes compute what one does."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from tests.training import gradients


def test_two_processes_have_the_gradients_of_one(tiny_cohorts, tmp_path):
    subprocess.run(
        [sys.executable, gradients.__file__, str(tiny_cohorts.root), str(tmp_path / "two.pt")],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        timeout=200,
    )
    one = gradients.gradients(tiny_cohorts.root, devices=1)
    two = torch.load(tmp_path / "two.pt", weights_only=True)
    assert one.keys() == two.keys()
    assert len(one) > 50
    assert any(gradient.abs().max() > 1e-3 for gradient in one.values())
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, atol=1e-5, rtol=1e-5, msg=name)
