import json

import pytest

from tests import tiny
from uteroseg.dataset.store import Dataset


@pytest.fixture
def dataset(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "data")
    tiny.add(dataset, "cervical", seed=1, split="train")
    tiny.add(dataset, "uterine", seed=2, split="test", with_mask=False)
    return dataset


def test_export_says_what_it_wrote_and_what_comes_next(run, dataset, tmp_path):
    code, out, err = run("export", dataset.root, "--to", "nnunet", "-o", tmp_path / "raw")
    assert code == 0
    assert f"{tmp_path / 'raw' / 'Dataset501_Pelvis'}: 1 train and 1 test cases" in out
    assert "nnUNetv2_plan_and_preprocess -d 501 -c 2d" in out
    assert "have no label: sub-0002" in err


def test_options_reach_the_export(run, dataset, tmp_path):
    command = ("export", dataset.root, "--to", "nnunet", "--output", tmp_path, "--id", 12, "--name", "Womb")
    code, out, _ = run(*command, "--cohort", "cervical", "--json")
    assert code == 0
    assert json.loads(out) == {
        "to": "nnunet",
        "folder": str(tmp_path / "Dataset012_Womb"),
        "train": ["sub-0001"],
        "test": [],
        "unannotated": [],
    }
    code, out, _ = run(*command[:-3], 13, "--cohort", "uterine", "--cohort", "cervical", "--json")
    assert (json.loads(out)["train"], json.loads(out)["test"]) == (["sub-0001"], ["sub-0002"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--to", "matlab"), "nnunet"),
        (("--to", "nnunet", "--id", 0), "1 to 999"),
        (("--to", "nnunet", "--name", "a/b"), "such as Pelvis"),
        (("--to", "nnunet", "--cohort", "ovarian"), "cervical, uterine"),
        (("--to", "nnunet", "--cohort", "uterine"), "no train cases"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(run, dataset, tmp_path, options, told):
    code, out, err = run("export", dataset.root, "-o", tmp_path / "raw", *options)
    assert (code, out) == (2, "")
    assert told in err
    assert not (tmp_path / "raw").exists()


def test_a_folder_that_is_no_dataset_is_refused(run, tmp_path):
    code, _, err = run("export", tmp_path, "--to", "nnunet", "-o", tmp_path / "raw")
    assert code == 2
    assert "is not a dataset" in err


def test_a_model_is_exported_as_plain_onnx(run, tiny_model, tmp_path):
    code, out, _ = run("export", tiny_model, "--to", "onnx", "-o", tmp_path / "m", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["to"], told["folder"]) == ("onnx", str(tmp_path / "m"))
    assert told["model"] == json.loads((tmp_path / "m" / "spec.json").read_text("utf-8"))["model"]


def test_a_model_is_exported_as_a_monai_bundle_that_says_how_to_run_it(run, tiny_model, tmp_path):
    code, out, _ = run("export", tiny_model, "--to", "monai", "-o", tmp_path / "m")
    assert code == 0
    assert "python -m monai.bundle run --config_file configs/inference.json" in out
    assert (tmp_path / "m" / "configs" / "inference.json").is_file()


@pytest.mark.parametrize("to", ["onnx", "monai"])
def test_a_dataset_is_no_model(run, dataset, tmp_path, to):
    code, _, err = run("export", dataset.root, "--to", to, "-o", tmp_path / "m")
    assert code == 2
    assert "is not a whole model" in err
    assert not (tmp_path / "m").exists()
