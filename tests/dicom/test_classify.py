from collections import Counter
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, RTStructureSetStorage, SegmentationStorage

from uteroseg.dicom.classify import SeriesKind, classify
from uteroseg.dicom.scan import scan_folder


def header(image_type: str, description: str = "", *, b: float | None = None, **tags: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.Modality = MRImageStorage, "MR"
    ds.ImageType, ds.SeriesDescription = image_type.split("\\"), description
    if b is not None:
        ds.DiffusionBValue = b
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


@pytest.mark.parametrize(
    ("ds", "kind"),
    [
        (header("DERIVED\\PRIMARY\\DIFFUSION\\TRACEW", "ep2d_diff_tra", b=800), "dwi"),
        (header("ORIGINAL\\PRIMARY\\OTHER", "Ax DWI", b=1000), "dwi"),
        (header("ORIGINAL\\PRIMARY\\M_SE\\M\\SE", "DWI for ADC", b=1000), "dwi"),
        (header("ORIGINAL\\PRIMARY\\M\\ND", "some name", b=600), "dwi"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\TENSOR_B0", "DWI_dir80_TENSOR_B0", b=0), "dwi"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\ADC", "ep2d_diff_ADC", b=800), "adc"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\TRACEW\\ND\\ADC", "ep2d_diff", b=0), "adc"),
        (header("DERIVED\\SECONDARY\\OTHER", "Apparent Diffusion Coefficient (mm2/s)"), "adc"),
        (header("DERIVED\\SECONDARY\\OTHER", "dADC Map"), "adc"),
        (header("DERIVED\\PRIMARY\\OTHER", "result", RescaleType="10^-3 mm2/s"), "adc"),
        (header("DERIVED\\PRIMARY\\OTHER", "eADC"), "exponential_adc"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\EADC", "DWI"), "exponential_adc"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\FA", "DTI_FA"), "parametric"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\TENSOR", "DTI_TENSOR"), "parametric"),
        (header("DERIVED\\PRIMARY\\OTHER", "map", SamplesPerPixel=3), "parametric"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\TRACEW\\DIS2D", "ep2dCALC_BVAL", b=1000), "calculated_b"),
        (header("DERIVED\\PRIMARY\\DIFFUSION\\CALC_BVALUE", "ep2d", b=1400), "calculated_b"),
        (
            header("DERIVED\\PRIMARY\\DIFFUSION\\TRACEW", "x", b=1400, SequenceName="ep_b50_800"),
            "calculated_b",
        ),
        (header("ORIGINAL\\PRIMARY\\M\\NORM", "t2_tse_sag"), "t2"),
        (header("ORIGINAL\\PRIMARY\\M\\SE", "T2 axial", b=0), "t2"),
        (header("ORIGINAL\\PRIMARY\\M\\NORM", "t1_vibe"), "other"),
        (header("ORIGINAL\\PRIMARY\\LOCALIZER", "DWI planning", b=0), "other"),
        (header("DERIVED\\SECONDARY\\MIP", "DWI b1000 MIP", b=1000), "other"),
    ],
    ids=lambda value: str(value.ImageType) + value.SeriesDescription if isinstance(value, Dataset) else value,
)
def test_kind_follows_from_image_type_description_and_tags_together(ds: Dataset, kind: str) -> None:
    assert classify(ds).kind == kind


@pytest.mark.parametrize(
    ("sop_class", "modality", "kind"),
    [
        (SegmentationStorage, "SEG", "segmentation"),
        (RTStructureSetStorage, "RTSTRUCT", "rtstruct"),
        (CTImageStorage, "CT", "other"),
    ],
)
def test_objects_that_are_no_mr_images(sop_class: str, modality: str, kind: str) -> None:
    ds = header("DERIVED\\PRIMARY", "DWI", b=800)
    ds.SOPClassUID, ds.Modality = sop_class, modality
    assert classify(ds).kind == kind


def test_every_real_series_is_recognised(real_data: Path) -> None:
    prostate = scan_folder(real_data / "prostatex" / "0000").series
    assert {s.files[0].parent.name: s.kind.value for s in prostate} == {
        "t2": "t2",
        "dwi": "dwi",
        "adc": "adc",
        "calculated_b": "calculated_b",
    }
    xa30 = scan_folder(real_data / "siemens_xa30_enhanced").series
    assert {s.number: s.kind.value for s in xa30} == {11: "adc", 12: "dwi", 16: "dwi"}
    segs = Counter(s.kind for s in scan_folder(real_data / "dicom_seg").series)
    assert segs == {SeriesKind.SEGMENTATION: 3, SeriesKind.OTHER: 1}
