import numpy as np
import pytest

from uteroseg.phantom.tumour import plan_tumour


def test_volumes_follow_the_stated_distributions():
    rng = np.random.default_rng(0)
    cervical = [plan_tumour(rng, "cervical").volume_ml for _ in range(2000)]
    assert np.median(cervical) == pytest.approx(25, rel=0.08)
    uterine = [plan_tumour(rng, "uterine") for _ in range(3000)]
    carcinoma = np.array([p.volume_ml for p in uterine if p.histology == "endometrial carcinoma"])
    np.testing.assert_allclose(np.percentile(carcinoma, [25, 50, 75]), (3.8, 7.2, 11.9), rtol=0.15)
    assert carcinoma.min() >= 0.7
    assert carcinoma.max() <= 94
    assert len(carcinoma) / 3000 == pytest.approx(0.82, abs=0.03)
    assert {p.histology for p in uterine} == {"endometrial carcinoma", "carcinosarcoma", "sarcoma"}
