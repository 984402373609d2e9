import zipfile

import pytest

from uteroseg.errors import UserError
from uteroseg.experiment.report.page import write_report
from uteroseg.experiment.results import read_experiment, require_name, write_archive
from uteroseg.experiment.runner import run_experiment


def test_an_archive_is_small_and_picked_up_where_it_is_unpacked(finished, tmp_path):
    settings, folder, *_ = finished
    file, again = tmp_path / "r.zip", tmp_path / "again.zip"
    assert write_archive(folder, file) == 3
    write_archive(folder, again)
    assert file.read_bytes() == again.read_bytes()
    assert file.stat().st_size < 20_000
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "elsewhere")
    assert {name.rsplit("/", 1)[-1] for name in names} == {"experiment.yaml", "run.json", "cases.csv"}
    assert run_experiment(settings, tmp_path / "elsewhere").made == 0
    assert read_experiment(tmp_path / "elsewhere").cases.equals(read_experiment(folder).cases)
    write_report(tmp_path / "elsewhere")


def test_the_archives_name_says_what_it_is(tmp_path):
    with pytest.raises(UserError, match=r"r.tar"):
        require_name(tmp_path / "r.tar")
