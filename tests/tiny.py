"""Tiny studies and datasets for tests: a body and a tumour of simple shape, a few kilobytes each."""

import numpy as np

from tests.grids import grid
from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.imaging.study import DwiStudy, Mask

GRID = grid("sagittal", (6, 48, 48), (5.0, 4.0, 4.0), (12.5, -94.0, 94.0))


def study(seed=1, *, geometry=GRID, b_values=(0.0, 1000.0), scanner_adc=False, with_tumour=True):
    """A study and its tumour: bright at the high b-value, of low ADC, in a place that the seed decides."""
    rng = np.random.default_rng(seed)
    points = geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1))
    middle = geometry.to_patient((np.array(geometry.shape) - 1) / 2)
    offset = points - middle
    body = np.linalg.norm(offset[..., 1:] if geometry.plane == "sagittal" else offset[..., :2], axis=-1) < 80
    tumour = np.linalg.norm(offset - rng.uniform(-1, 1, 3) * (3, 25, 25), axis=-1) < rng.uniform(12, 18)
    tumour &= with_tumour
    adc = np.where(tumour, 0.8, 1.6)
    s0 = np.where(body, np.where(tumour, 500, 300), 5)
    signal = s0 * np.exp(-np.array(b_values)[:, None, None, None] * adc * 1e-3)
    signal = np.abs(signal + rng.normal(0, 5, signal.shape)).astype(np.float32) + 1
    return (
        DwiStudy(
            signal,
            tuple(b_values),
            geometry,
            scanner_adc=adc.astype(np.float32) if scanner_adc else None,
            acquisition={"Manufacturer": "Nobody", "b_value_source": "made up"},
        ),
        Mask(tumour, geometry),
    )


def add(dataset, cohort="cervical", *, seed=1, split="n/a", with_mask=True, patient=None, **options):
    """Add a tiny study to a dataset."""
    image, mask = study(seed, **options)
    who = Participant(
        "",
        cohort,
        split=split,
        histology="squamous",
        source="virtual",
        source_key=patient or f"{cohort}-{seed}",
    )
    return dataset.add(
        NewCase(image, who, f"study-{cohort}-{seed}", mask if with_mask else None, {"reader": "A"})
    )


def cohorts(root, *, train=3, test=2):
    """A dataset of a cervical and a uterine cohort, split."""
    dataset = Dataset.open_or_create(root)
    for cohort, first in (("cervical", 0), ("uterine", 100)):
        for number in range(train + test):
            add(dataset, cohort, seed=first + number, split="train" if number < train else "test")
    return dataset
