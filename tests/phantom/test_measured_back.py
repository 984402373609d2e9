"""Tissue values measured back from images, as a reader would: regions, fitted ADC, medians."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from uteroseg.imaging.diffusion import fit_adc
from uteroseg.phantom.acquisition import DEFAULT, Acquisition, Artefacts
from uteroseg.phantom.anatomy import Layer
from uteroseg.phantom.patient import simulate_patient, streams
from uteroseg.phantom.scanner import (
    SUB_SLICES,
    blurred,
    coil_sensitivity,
    noise_level,
    thick_slices,
    thin_slices,
    with_rician_noise,
)
from uteroseg.phantom.signal import draw_texture, paint
from uteroseg.phantom.tissue import TISSUES, draw_tissues

CELL = 18
NAMES = [name for name in TISSUES if name != "gas"]  # gas has no signal to measure
# A short echo time, so that tissues of short T2 have signal to measure; the ADC does not depend on it.
CLEAR = Acquisition(matrix=(162, 108), slices=20, slice_mm=12, b_values=(0, 1000), echo_time_ms=20, snr=1000)


@pytest.fixture(scope="module")
def scene():
    """Every tissue in a box of its own, through painting, thick slices, coil, blur and noise."""
    geometry = CLEAR.geometry((0, 0, 0))
    thin = thin_slices(geometry)
    columns = CLEAR.matrix[1] // CELL
    assert len(NAMES) <= columns * (CLEAR.matrix[0] // CELL)
    boxes = {
        name: (slice(None), slice(CELL * (i // columns), CELL * (i // columns + 1)),
               slice(CELL * (i % columns), CELL * (i % columns + 1)))
        for i, name in enumerate(NAMES)
    }  # fmt: skip
    rng = np.random.default_rng(4)
    tissues = draw_tissues(rng)
    painted = paint(
        [Layer(name, box, np.ones((thin.shape[0], CELL, CELL), np.float32)) for name, box in boxes.items()],
        tissues,
        texture=draw_texture(rng, geometry).in_sub_slices(SUB_SLICES),
        b_values=CLEAR.b_values,
        echo_time_ms=CLEAR.echo_time_ms,
    )
    image = blurred(thick_slices(painted.signal) * coil_sensitivity(rng, geometry), CLEAR.blur_pixels)
    image = with_rician_noise(image, noise_level(CLEAR), rng)
    return tissues, boxes, fit_adc(image, CLEAR.b_values).adc


@pytest.mark.parametrize("name", NAMES)
def test_the_adc_of_every_tissue_is_measured_back(scene, name):
    tissues, boxes, adc = scene
    inside = adc[boxes[name]][:, 3:-3, 3:-3]
    assert np.median(inside) == pytest.approx(tissues[name].adc, rel=0.05)


@pytest.mark.parametrize(("cohort", "index"), [("cervical", 7), ("uterine", 1)])
def test_the_adc_of_a_tumour_is_measured_back_from_a_whole_patient(cohort, index):
    clear = replace(DEFAULT, snr=1000, artefacts=Artefacts())
    patient = simulate_patient(cohort, index, seed=5, acquisition=clear)
    drawn = draw_tissues(streams(cohort, index, 5)[3])[patient.person.plan.histology]
    inside = ndimage.binary_erosion(patient.mask.data, np.ones((1, 3, 3)), iterations=2)
    assert inside.sum() > 100
    assert np.median(patient.study.fit().adc[inside]) == pytest.approx(drawn.adc, rel=0.1)
