import numpy as np
import pytest

from uteroseg.phantom.tissue import POOR, PSEUDO_DIFFUSION, TISSUES, Tissue, draw_tissues

# tissue.md: ADC from, to (10⁻³ mm²/s) and T2 from, to (ms); None where it gives none
PUBLISHED = {
    "cervical carcinoma": ((0.76, 0.76), (93, 93)),
    POOR: ((0.65, 0.65), (84, 84)),
    "endometrial carcinoma": ((0.83, 0.83), (103, 103)),
    "endometrial carcinoma rim": ((1.06, 1.06), None),
    "sarcoma": ((0.86, 0.86), None),
    "leiomyoma": ((1.18, 1.18), (40, 60)),
    "degenerated leiomyoma": ((1.70, 1.70), None),
    "endometrium": ((1.44, 1.44), (59, 97)),
    "secretory endometrium": ((1.44, 1.44), (214, 214)),
    "junctional zone": ((1.13, 1.13), (50, 72)),
    "myometrium": ((1.53, 1.62), (76, 79)),
    "secretory myometrium": ((1.53, 1.62), (138, 138)),
    "cervix": ((1.71, 1.71), (83, 83)),
    "lymph node": ((1.30, 1.30), (80, 100)),
    "metastatic node": ((0.90, 0.90), (80, 100)),
    "muscle": ((1.2, 1.6), (29, 44)),
    "marrow": ((0.2, 0.5), (49, 49)),
    "fat": ((0.0, 0.3), (68, 135)),
    "ovary": ((1.3, 1.6), (126, 126)),
    "follicle": ((2.3, 2.8), (603, 603)),
    "urine": ((2.8, 3.2), None),
    "bowel wall": ((1.2, 1.6), (60, 80)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_centres_lie_within_5_percent_of_the_published_values(name):
    adc, t2_ms = PUBLISHED[name]
    assert TISSUES[name].adc == pytest.approx(np.mean(adc), rel=0.05)
    if t2_ms:
        assert TISSUES[name].t2_ms == pytest.approx(np.mean(t2_ms), rel=0.05)


def test_soft_tissue_has_the_published_density_and_urine_a_long_t2():
    assert TISSUES["urine"].t2_ms > 1000
    for name in ("myometrium", "cervix", "endometrium", "muscle", "cervical carcinoma", "sarcoma"):
        assert 0.78 <= TISSUES[name].density <= 0.92


def test_draws_centre_on_the_table_and_spread_as_it_says():
    rng = np.random.default_rng(0)
    draws = [draw_tissues(rng) for _ in range(400)]
    for name, values in TISSUES.items():
        if name == "cervical carcinoma":
            continue
        adc = np.array([d[name].adc for d in draws])
        assert np.median(adc) == pytest.approx(values.adc, rel=0.05)
        assert np.log(adc).std() == pytest.approx(values.adc_spread, rel=0.2)
        assert np.median([d[name].t2_ms for d in draws]) == pytest.approx(values.t2_ms, rel=0.1)


def test_four_in_ten_cervical_carcinomas_are_poorly_differentiated():
    rng = np.random.default_rng(1)
    adc, poor = np.array(
        [
            (d["cervical carcinoma"].adc, d["cervical carcinoma"] == d[POOR])
            for d in map(draw_tissues, [rng] * 600)
        ]
    ).T
    assert poor.mean() == pytest.approx(0.4, abs=0.06)
    assert adc[poor == 1].mean() == pytest.approx(0.65, rel=0.05)
    assert adc[poor == 0].mean() == pytest.approx(0.76, rel=0.05)
    assert adc[poor == 0].std() == pytest.approx(0.10, rel=0.2)


def test_perfusion_of_cervical_cancer_is_the_published_one():
    rng = np.random.default_rng(2)
    f = [draw_tissues(rng)["cervical carcinoma"].perfusion for _ in range(200)]
    assert 0.075 <= np.percentile(f, 2.5) < np.percentile(f, 97.5) <= 0.101


@pytest.mark.parametrize("tissue", [Tissue(0.8, 90, 0.76, 0, 0.087), Tissue(0.8, 90, 1.6, 0, 0.15)])
def test_diffusion_and_perfusion_together_decay_by_the_adc_at_b_1000(tissue):
    f = tissue.perfusion
    decay = (1 - f) * np.exp(-tissue.diffusion) + f * np.exp(-PSEUDO_DIFFUSION)
    assert -np.log(decay) == pytest.approx(tissue.adc)
    assert tissue.diffusion < tissue.adc
