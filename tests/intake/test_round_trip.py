"""Virtual patients by way of the clinic: DICOM and an RTSTRUCT drawn on T2 become a dataset."""

import numpy as np
import pytest

from tests.annotations.drawn import CYAN, IDS, contours_of, write_images, write_rtstruct
from uteroseg.dataset.store import Dataset
from uteroseg.imaging.geometry import Geometry
from uteroseg.intake.ingest import ingest
from uteroseg.phantom.patient import HISTOLOGIES, tumour_layers
from uteroseg.phantom.person import draw_person
from uteroseg.phantom.scanner import thick_slices, thin_slices

IN_PLANE_MM = 0.8


def tumour_on(geometry, person):
    """Voxels that a tumour fills to at least one half."""
    thin = thin_slices(geometry)
    covered = np.zeros(thin.shape, np.float32)
    for layer in tumour_layers(person.tumour, person.anatomy.uterus, thin):
        if layer.tissue in HISTOLOGIES:
            covered[layer.box] = layer.coverage
    return thick_slices(covered) >= 0.5


def grid_at(centre, spacing, size_mm=(100, 110, 110)):
    """A sagittal grid around a point."""
    shape = tuple(round(size / mm) for size, mm in zip(size_mm, spacing, strict=True))
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([(-1, 0, 0), (0, 0, -1), (0, 1, 0)]) * spacing
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(shape, affine)


@pytest.mark.parametrize(("cohort", "seed"), [("cervical", 0), ("uterine", 1), ("uterine", 3)])
def test_a_tumour_above_5_ml_drawn_on_t2_keeps_its_shape(cohort, seed, tmp_path):
    person = draw_person(cohort, *map(np.random.default_rng, (seed, seed + 1, seed + 2)), with_tumour=True)
    centre = np.mean(person.tumour[0].shape.bounds(), axis=0)
    dwi, t2 = grid_at(centre, (5.0, 2.0, 2.0)), grid_at(centre, (5.0, IN_PLANE_MM, IN_PLANE_MM))
    truth = tumour_on(dwi, person)
    assert truth.sum() * dwi.voxel_volume_mm3 > 5000
    body = np.full(dwi.shape, 800) - np.indices(dwi.shape).sum(axis=0)
    images = [body, body * 0.4]
    write_images(tmp_path / "in/dwi", dwi, images, IDS, description="DWI", number=3, b_values=(0, 1000))
    series, instances = write_images(
        tmp_path / "in/t2", t2, [np.ones(t2.shape)], IDS, description="t2_tse", number=2
    )
    rois = [("GTV", CYAN, contours_of(tumour_on(t2, person), t2))]
    write_rtstruct(tmp_path / "rt.dcm", rois, series=series, instances=instances)
    (outcome,) = ingest(tmp_path / "in", tmp_path / "out", cohort=cohort, annotations=tmp_path / "rt.dcm")
    assert outcome.annotation_source == "T2"
    arrived = Dataset.open(tmp_path / "out").load_mask(outcome.case).data
    assert 2 * (arrived & truth).sum() / (arrived.sum() + truth.sum()) >= 0.95
