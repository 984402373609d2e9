"""What a user of the package imports."""

import subprocess
import sys

import numpy as np
import pytest

import uteroseg
from tests import tiny


def test_arrays_in_mask_out_in_three_lines(tiny_model):
    example, tumour = tiny.study(1)
    signal, affine = example.signal, example.geometry.nifti_affine

    geometry = uteroseg.Geometry.from_nifti(signal.shape[:0:-1], affine)
    study = uteroseg.DwiStudy(signal, (0, 1000), geometry)
    mask = uteroseg.predict(study, model=str(tiny_model)).mask

    assert isinstance(mask, uteroseg.Mask)
    assert mask.geometry.difference(example.geometry) is None
    overlap = np.count_nonzero(mask.data & tumour.data)
    assert 2 * overlap / (mask.data.sum() + tumour.data.sum()) > 0.5
    opened = uteroseg.open_model(tiny_model)
    np.testing.assert_array_equal(uteroseg.predict(study, model=opened).mask.data, mask.data)


def test_the_package_alone_is_light_and_what_it_lacks_is_no_attribute():
    code = "import sys, uteroseg; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'segment'"):
        _ = uteroseg.segment
