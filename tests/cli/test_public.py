import json

import pytest


@pytest.fixture
def installed(public_index, monkeypatch):
    """The real index, without reading it again for every command."""
    monkeypatch.setattr("uteroseg.intake.public.index.read_index", lambda names: public_index)


def test_list_says_what_every_collection_holds(run, installed):
    code, out, _ = run("public", "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)["collections"]}
    assert code == 0
    assert rows["cc_tumor_heterogeneity"]["patients"] == 22
    assert rows["cc_tumor_heterogeneity"]["with_contours"] == 55
    assert rows["cptac_ucec"]["licences"] == ["CC BY 4.0"]
    assert rows["tcga_ucec"]["studies"] == 0
    _, text, _ = run("public", "list")
    assert "cptac_ucec (uterine): 31 patients" in text
    assert "nothing to get" in text


@pytest.mark.parametrize("name", ["cc_tumor_heterogeneity", "cptac_ucec"])
def test_a_dry_run_prints_every_series_and_the_total_and_writes_nothing(name, run, installed, tmp_path):
    code, text, _ = run("public", "get", name, tmp_path / "d", "--dry-run")
    _, out, _ = run("public", "get", name, tmp_path / "d", "--dry-run", "--json")
    values = json.loads(out)
    uids = [series["series"] for study in values["selected"] for series in study["series"]]
    assert code == 0
    assert len(uids) == len(set(uids)) == values["series"]
    assert all(uid in text for uid in uids)
    assert f"{values['series']} series, {values['megabytes']} MB" in text
    assert text.count("left out") == len(values["left_out"])
    assert not list(tmp_path.iterdir())


def test_an_unknown_collection_is_refused(run, tmp_path):
    code, _, told = run("public", "get", "nothing", tmp_path / "d")
    assert code == 2
    assert "cptac_ucec" in told


def test_without_the_index_the_extra_is_named(run, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "idc_index_data", None)
    code, _, told = run("public", "list")
    assert code == 2
    assert "uteroseg[public]" in told
