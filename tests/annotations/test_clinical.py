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
    "morphology": ["8380/3", "8070/3 squamous"],
    "TNM": ["pT1b1 pN0 (0/25) cM0 L0 V0 Pn0 R0 G2"],
    "HPV": ["16/18/45", "positive"],
    "tumour_size": ["45x32x21", "45 mm"],
    "dose": ["50.4 Gy"],
    "creatinine": ["0.9 mg/dl"],
    "platelets": ["250000"],
    "PD-L1": ["CPS 5"],
    "side": ["left"],
    "initial_stage": ["IB"],
    "number_of_cycles": ["6"],
    "live births": ["2"],
    "patients_age": ["63"],
    "FIGO 2018": ["IIIC1"],
    "Ki-67": ["30%"],
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
    **{
        title: ["4711"]
        for title in [
            "Patientennummer",
            "PatNr",
            "Fallnr",
            "Krankennummer",
            "#",
            "Postleitzahl",
            "NPA",
            "yob",
        ]
    },
    **{title: ["12"] for title in ["Geb.", "Jahr", "Uhrzeit", "pathology_no", "room", "radiographer"]},
    **{
        title: ["Keller"]
        for title in ["treated_by", "histologist", "Chemo nurse", "Krankenkasse", "group_name"]
    },
    "recurrence": ["12-Mar-19", "Mar-19", "12. März 2019", "12,3,2019", "2019"],
    "event": ["12_03_2019", "verstorben März 2020"],
    "site": ["Inselspital Bern"],
    "sex": ["Frau Keller"],
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
    assert columns_to_keep([{title: cell}, {}], {title: title}) == ([title], {})


@pytest.mark.parametrize(("title", "cell"), [(title, cell) for title in TELLING for cell in TELLING[title]])
def test_what_may_tell_who_is_left_out_whatever_the_rest_of_the_column_says(title, cell):
    kept, left_out = columns_to_keep([{}, {title: "1"}, {title: cell}], {title: title})
    assert (kept, list(left_out)) == ([], [title])


def test_a_word_of_a_path_that_may_name_somebody_tells_it_too():
    titles, paths = {"histology": "Histology", "site": "Site"}, ("study", "mask")
    row = {"study": "uterus/Keller_Anna", "mask": "m.nii", "histology": "Keller: serous", "site": "uterus"}
    assert columns_to_keep([row], titles, paths)[0] == ["site"]


def test_titles_of_several_words_without_spaces_are_read_as_such():
    titles = {"patientname": "patientName", "figostage": "FigoStage"}
    assert columns_to_keep([{"patientname": "1", "figostage": "IB"}], titles)[0] == ["figostage"]


def test_a_word_of_a_column_that_tells_who_tells_it_elsewhere_too():
    row = {"patient_name": "Meier^Anna", "histology": "serous MEIER", "stage": "IB"}
    assert columns_to_keep([row], {title: title for title in row})[0] == ["stage"]
