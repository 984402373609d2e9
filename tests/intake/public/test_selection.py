import pytest

from tests.intake.public.rows import row
from uteroseg.errors import UserError
from uteroseg.intake.public.collections import collection_named
from uteroseg.intake.public.index import read_citations
from uteroseg.intake.public.selection import select

UCEC = collection_named("cptac_ucec")


def roles(study):
    return [(wanted.role, wanted.series.description) for wanted in study.series]


def chosen(*others):
    """What is taken of a study with DWI 8, its ADC map, and these."""
    images = [row("ep2d_diff_b 50 400 800_TRACEW", number=8), row("ep2d_diff_b 50 400 800_ADC", number=9)]
    return select(UCEC, [*images, *others])


def contour(number, name="Pre-Dose, UTERUS - 1"):
    return row(name, modality="RTSTRUCT", number=number)


def test_cervical_patients_are_those_with_dwi_and_a_contour_in_one_study(public_index):
    selection = select(collection_named("cc_tumor_heterogeneity"), public_index)
    assert len(selection.studies) == 55
    assert len({study.patient for study in selection.studies}) == 22
    assert [reason for _, reason in selection.left_out] == ["no contours of the tumour in this study"] * 11
    for study in selection.studies:
        kinds = [role for role, _ in roles(study)]
        assert (kinds.count("DWI"), kinds.count("contours")) == (1, 1)
        assert kinds.count("ADC") <= 1 <= kinds.count("T2")
    listed = {study.diffusion.b_values for study in selection.studies}
    assert listed == {(), (0, 100, 600, 1000)}


def test_uterine_contours_were_drawn_on_t1_after_contrast_and_the_nearest_is_taken(public_index):
    selection = select(UCEC, public_index)
    assert (len(selection.studies), len(selection.left_out)) == (31, 5)
    for study in selection.studies:
        one = {wanted.role: wanted.series for wanted in study.series}
        assert set(one) in ({"DWI", "ADC", "drawn on", "contours"}, {"DWI", "drawn on", "contours"})
        assert one["contours"].number == one["drawn on"].number
        assert one["contours"].description == "Pre-Dose, UTERUS - 1"
        assert "CM" in study.drawn_on or "+C" in study.drawn_on


def test_images_without_masks_are_taken_without_contours(public_index):
    selection = select(collection_named("tcga_cesc"), public_index)
    assert len(selection.studies) == 6
    assert all(study.diffusion.b_values == (0, 800) and not study.drawn_on for study in selection.studies)
    assert not select(collection_named("tcga_ucec"), public_index).studies


def test_every_source_that_is_taken_from_has_a_citation_and_a_licence(public_index):
    for name in ("cc_tumor_heterogeneity", "cptac_ucec", "tcga_cesc"):
        series = select(collection_named(name), public_index).series
        citations = read_citations([name])
        assert {one.licence[:5] for one in series} == {"CC BY"}
        assert all("Data set" in citations[one.doi.lower()] for one in series)


@pytest.mark.parametrize(
    ("contours", "drawn_on", "number"),
    [((4, 8, 11), "DWI", "8"), ((11, 4), "T2", "4"), ((14, 11), "t1 CM", "11")],
)
def test_contours_on_the_dwi_come_first_then_on_t2_then_on_what_is_nearest(contours, drawn_on, number):
    images = [row("t2_bl_tse_sag", number=4), row("t1 CM", number=11), row("t1 CM", number=14)]
    (study,) = chosen(*images, *map(contour, contours)).studies
    assert study.drawn_on == drawn_on
    assert study.series[-1].series.number == number
    assert len({wanted.series.uid for wanted in study.series}) == len(study.series)


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ([contour(8, "Pre-Dose, UTERUS - 1 - SEED POINT")], "no contours"),
        ([contour(8, "Pre-Dose, LEFT OVARY - 2")], "no contours"),
        ([contour(8, "Pre-Dose, No Findings")], "no contours"),
        ([contour(30)], "no series has the number"),
        ([contour(8), contour(8, "Pre-Dose, UTERUS - 2")], "2 lesions in files of their own"),
    ],
)
def test_what_is_no_whole_tumour_is_left_out_with_the_reason(others, reason):
    selection = chosen(*others)
    assert not selection.studies
    ((_, why),) = selection.left_out
    assert reason in why


def test_the_exponential_map_is_no_adc():
    rows = [
        row(name, collection="tcga_cesc", number=n)
        for n, name in enumerate(
            [
                "Ax DWI  b800",
                "Apparent Diffusion Coefficient (mm?/s)",
                "Exponential Apparent Diffusion Coefficient",
            ]
        )
    ]
    (study,) = select(collection_named("tcga_cesc"), rows).studies
    assert [role for role, _ in roles(study)] == ["DWI", "ADC"]


def test_an_unknown_collection_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"'cptac'.*cptac_ucec"):
        collection_named("cptac")
