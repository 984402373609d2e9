"""uteroseg cohort: rename, move, remove."""

import json

from tests import tiny
from uteroseg.dataset.store import Dataset


def test_a_cohort_is_renamed_and_what_else_names_it_is_said(run, tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=1, test=1)
    code, out, _ = run("cohort", "rename", dataset.root, "uterine", "corpus")
    assert code == 0
    assert "2 patients of uterine are corpus now" in out
    assert "must name corpus" in out
    assert Dataset.open(dataset.root).cohorts() == {"cervical": 2, "corpus": 2}
    code, _, err = run("cohort", "rename", dataset.root, "uterine", "corpus")
    assert code == 2
    assert "no cohort 'uterine'" in err


def test_patients_are_moved(run, tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=1, test=1)
    code, out, _ = run(
        "cohort", "move", dataset.root, "sub-0001,sub-0003", "sub-0002", "--to", "uterine", "--json"
    )
    assert (code, json.loads(out)) == (0, {"patients": 2, "cohorts": {"uterine": 4}})


def test_nothing_is_removed_without_yes(run, tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=1, test=1)
    for which in (["uterine"], ["--patients", "sub-0003, sub-0004"]):
        code, out, err = run("cohort", "remove", dataset.root, *which)
        assert code == 2
        assert "2 patients with 2 cases, 2 of them annotated" in out
        assert "derivatives/annotations/sub-0003" in out
        assert "--yes" in err
        assert len(Dataset.open(dataset.root).cases()) == 4
    code, out, _ = run("cohort", "remove", dataset.root, "uterine", "--yes")
    assert code == 0
    assert "d.cache" in out
    assert Dataset.open(dataset.root).cohorts() == {"cervical": 2}


def test_a_cohort_or_patients_are_to_be_named(run, tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=1, test=0)
    for which in ([], ["uterine", "--patients", "sub-0001"]):
        code, _, err = run("cohort", "remove", dataset.root, *which, "--yes")
        assert code == 2
        assert "a cohort, or patients" in err
    assert len(Dataset.open(dataset.root).cases()) == 2
