import numpy as np
import pytest

from tests import tiny
from uteroseg.imaging.quality import BODY_SHARE
from uteroseg.model.prepare import CHANNELS, HIGH_B, MAX_ADC, SAME_B, PreparedStudy
from uteroseg.network.monai_channels import diffusion_channels

CONSTANTS = {"high_b": HIGH_B, "same_b": SAME_B, "max_adc": MAX_ADC, "body_share": BODY_SHARE}


@pytest.mark.parametrize("b_values", [(0, 1000), (50, 400, 800), (0, 500, 990), (0, 600, 1500)])
def test_a_bundles_channels_are_those_of_uteroseg(b_values):
    study, _ = tiny.study(3, b_values=tuple(map(float, b_values)))
    study.signal[-1, 0, :5] = 0  # where no ADC can be fitted
    found = diffusion_channels(study.signal, np.array(study.b_values), **CONSTANTS)
    ours = PreparedStudy(study).channels()
    for number, name in enumerate(CHANNELS):
        np.testing.assert_allclose(found[name], ours[:, number], rtol=1e-4, atol=1e-5, err_msg=name)
