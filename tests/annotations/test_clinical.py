"""Columns that tell of a disease are kept, and those that may tell who has it are not."""

import pytest

from uteroseg.annotations.clinical import columns_to_keep

KEPT = {
    "histology": ["endometrioid", "Karzinom groß", "carcinosarcoma, heterologous"],
    "figo_stage": ["IB2", "III C1", "FIGO IVA"],
    "stadium": ["pT1b pN0 cM0", "T2a"],
    "grading": ["G2", "2", "high grade"],
    "treatment": ["radiochemotherapy, brachytherapy", "surgery"],
    "menopausal_status": ["post", "pre"],
    "number_of_lymph_nodes": ["12", "0"],
    "patient_sex": ["F", "female"],
    "age": ["63", "47.5", "<90"],
    "bmi": ["27.3 kg/m2", "31,5"],
    "ca125": ["35.2 U/ml", "1200"],
    "smoker": ["yes", "No", "unknown", "n/a"],
    "comment": ["1", "2"],
}
TITLES = [
    "patient_name",
    "patientname",
    "patient",
    "vorname",
    "initials",
    "id",
    "caseid",
    "patient_number",
    "accession",
    "mrn",
    "e-mail",
    "telefon",
    "plz",
    "city",
    "insurance_nr",
    "fall",
    "date",
    "birthday",
    "dob",
    "geburtsdatum",
    "jahrgang",
    "exam_date",
    "hausarzt",
    "referring_physician",
    "surgeon",
    "radiologist",
    "operator",
]
TELLING = {
    **{title: ["1"] for title in TITLES},
    "remarks": ["call Mrs Meier"],
    "village": ["Uster"],
    "occupation": ["nurse"],
    "scanned": ["04.03.2021"],
    "came": ["20210304"],
    "sap": ["4711223"],
    "reach": ["044 123 45 67"],
    "diagnosis": ["Ca. corporis, Frau Meier"],
    "histology": ["endometrioid, seen 4.3.21"],
    "tumour_type": ["serous (B2021.12345)"],
    "pathology": ["reported to anna.meier@example.org"],
    "treatment": ["she came in spring and then moved to her sister in the mountains"],
    "pathology_report": ["endometrioid"],
    "lesion": ["0793"],
}


@pytest.mark.parametrize(("title", "cell"), [(title, cell) for title in KEPT for cell in KEPT[title]])
def test_terms_of_a_disease_are_kept(title, cell):
    assert columns_to_keep([{title: cell}, {}], [title]) == ([title], {})


@pytest.mark.parametrize(("title", "cell"), [(title, cell) for title in TELLING for cell in TELLING[title]])
def test_what_may_tell_who_is_left_out_whatever_the_rest_of_the_column_says(title, cell):
    kept, left_out = columns_to_keep([{}, {title: "1"}, {title: cell}], [title])
    assert (kept, list(left_out)) == ([], [title])


def test_a_word_of_a_column_that_tells_who_tells_it_elsewhere_too():
    row = {"patient_name": "Meier^Anna", "histology": "serous MEIER", "stage": "IB"}
    assert columns_to_keep([row], row)[0] == ["stage"]
