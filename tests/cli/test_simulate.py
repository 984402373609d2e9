import pytest

from uteroseg.dataset.store import Dataset


def test_simulate_takes_the_protocol_the_share_without_tumour_and_a_second_reader(run, tmp_path):
    arguments = (
        "simulate",
        tmp_path / "d",
        "--cohort",
        "cervical",
        "--cases",
        2,
        "--scanner",
        "ge-signa-1.5t",
    )
    arguments += ("--plane", "axial", "--b-values", "0,500", "--snr", 30, "--tumour-free", "50%")
    code, _, _ = run(*arguments, "--second-reader", "--reader-dsc", 0.8, "--dicom", tmp_path / "dicom")
    assert code == 0
    dataset = Dataset.open(tmp_path / "d")
    assert sorted(p.histology for p in dataset.participants.values()) == ["cervical carcinoma", "none"]
    for case in dataset.cases():
        study = dataset.load_study(case)
        assert (study.geometry.plane, study.b_values) == ("axial", (0, 500))
        assert (dataset.root / case.readers_annotation("R2")).is_file()
    assert len(list((tmp_path / "dicom").glob("*/seg.dcm"))) >= 1


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--scanner", "hitachi", "ge-signa-1.5t"),
        ("--plane", "coronal", "sagittal or axial"),
        ("--snr", -3, "2 to 1000"),
        ("--b-values", "0,9000", "0 to 3000"),
        ("--b-values", "none", "0,500,1000"),
        ("--tumour-free", "some", "10% or 0.1"),
        ("--tumour-free", "120%", "below 100%"),
        ("--reader-dsc", 0.1, "0.5 to 0.98"),
        ("--encoding", "nrrd", "classic or enhanced"),
        ("--annotate-t2", "nifti", "rtstruct or seg"),
    ],
)
def test_simulate_refuses_what_cannot_be_and_writes_nothing(run, tmp_path, option, value, expected):
    arguments = (
        "simulate",
        tmp_path / "d",
        "--cohort",
        "uterine",
        "--cases",
        1,
        "--dicom",
        tmp_path / "dicom",
    )
    code, _, told = run(*arguments, option, value)
    assert code == 2
    assert expected in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [("--encoding", "enhanced"), ("--annotate-t2", "seg")])
def test_an_option_of_dicom_files_without_them_is_refused(run, tmp_path, option):
    code, out, err = run("simulate", tmp_path / "d", "--cohort", "uterine", "--cases", 1, *option)
    assert (code, out) == (2, "")
    assert "no DICOM files are to be written" in err
    assert not (tmp_path / "d").exists()


def test_help_names_every_scanner(run):
    from uteroseg.phantom.presets import PRESETS

    _, out, _ = run("simulate", "--help")
    text = "".join(part.strip(" │") for part in out.splitlines())
    assert all(name in text for name in PRESETS)
