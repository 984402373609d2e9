import hashlib
import subprocess
import sys

import numpy as np
import pytest

from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import fit_adc
from uteroseg.imaging.measure import volume_ml
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.patient import simulate_patient, tumour_layers
from uteroseg.phantom.person import draw_person
from uteroseg.phantom.shapes import points_in

SMALL = Acquisition(name="small", matrix=(64, 64), spacing_mm=4.0, slices=20, slice_mm=6.0)


@pytest.fixture(scope="module")
def patients():
    return [
        simulate_patient(cohort, index, seed=7, acquisition=SMALL)
        for cohort in ("cervical", "uterine")
        for index in range(4)
    ]


def test_the_same_arguments_give_the_same_bits_in_another_process(patients):
    script = (
        "import hashlib\n"
        "from uteroseg.phantom.acquisition import Acquisition, Artefacts\n"
        "from uteroseg.phantom.patient import simulate_patient\n"
        f"p = simulate_patient('uterine', 2, seed=7, acquisition={SMALL!r})\n"
        "print(hashlib.sha256(p.study.signal.tobytes() + p.mask.data.tobytes()).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    same = patients[6]
    assert hashlib.sha256(same.study.signal.tobytes() + same.mask.data.tobytes()).hexdigest() == told.strip()


def test_another_number_seed_or_cohort_gives_another_patient(patients):
    first = patients[0].study.signal
    assert not np.array_equal(first, patients[1].study.signal)
    assert not np.array_equal(first, patients[4].study.signal)
    assert not np.array_equal(first, simulate_patient("cervical", 0, seed=8, acquisition=SMALL).study.signal)


def test_tumours_have_plausible_volumes_inside_the_body(patients):
    for patient in patients:
        assert 0.4 < volume_ml(patient.mask) < 300
        brightness = patient.study.signal[0]
        noise = np.median(brightness[:, :3, :3])
        assert (brightness[patient.mask.data] > 3 * noise).mean() > 0.9
        assert patient.person.plan.site == {"cervical": "cervix", "uterine": "corpus"}[patient.person.cohort]


def test_around_endometrial_carcinoma_a_rim_fades_into_the_uterus():
    person = draw_person("uterine", *(np.random.default_rng(n) for n in (1, 2, 3)))
    assert person.plan.histology == "endometrial carcinoma"
    grid = SMALL.geometry(person.centre)
    rim, tumour = tumour_layers(person.tumour[:1], person.anatomy.uterus, grid)
    assert (rim.tissue, tumour.tissue) == ("endometrial carcinoma rim", "endometrial carcinoma")
    distance = person.tumour[0].shape.distance(points_in(grid, rim.box))
    assert 0 < rim.coverage[distance > 0].max() <= 0.7
    assert not rim.coverage[distance > 5].any()
    outside = person.anatomy.uterus.corpus.distance(points_in(grid, rim.box)) > 1
    assert not rim.coverage[outside].any()


def test_a_patient_without_a_tumour_has_an_empty_mask():
    patient = simulate_patient("uterine", 1, seed=7, acquisition=SMALL, with_tumour=False)
    assert not patient.mask.data.any()


def test_a_tumour_has_the_same_volume_in_either_plane():
    sagittal, axial = (
        simulate_patient(
            "cervical", 3, seed=7, acquisition=Acquisition(plane=plane, spacing_mm=2.8, slices=30)
        )
        for plane in ("sagittal", "axial")
    )
    assert volume_ml(axial.mask) == pytest.approx(volume_ml(sagittal.mask), rel=0.1)


def test_tumours_restrict_diffusion(patients):
    for patient in patients:
        adc = fit_adc(patient.study.signal, patient.study.b_values).adc
        assert 0.5 < np.median(adc[patient.mask.data]) < 1.6


def test_images_hold_whole_numbers_of_twelve_bits(patients):
    signal = patients[0].study.signal
    np.testing.assert_array_equal(signal, np.rint(signal))
    assert signal.dtype == np.float32
    assert 500 < signal.max() < 4095


@pytest.mark.parametrize(
    ("cohort", "index", "seed"), [("ovarian", 0, 1), ("uterine", -1, 1), ("uterine", 0, -1)]
)
def test_patients_that_cannot_be_are_refused(cohort, index, seed):
    with pytest.raises(UserError):
        simulate_patient(cohort, index, seed=seed, acquisition=SMALL)
