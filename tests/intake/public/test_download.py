import os
import shutil
from pathlib import Path

import pytest

from tests.intake.public.rows import row
from tests.intake.public.server import Bucket, serving
from uteroseg.errors import UserError
from uteroseg.intake.public import download as module
from uteroseg.intake.public.download import download_series

KEYS = [f"series-1/image {number}.dcm" for number in range(3)]
NAMES = [key.split("/")[1] for key in KEYS]


@pytest.fixture
def bucket():
    return Bucket({key: os.urandom(5000 + len(key)) for key in [*KEYS, "series-2/other.dcm"]})


@pytest.fixture
def series():
    return row("DWI", files=3, address="s3://idc-open-data/series-1/*")


def get(bucket, series, folder):
    with serving(bucket) as endpoint:
        download_series(series, folder, endpoint=endpoint)


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_file_arrives_and_what_is_there_is_not_asked_for_again(bucket, series, tmp_path):
    bucket.page = 2
    done = []
    with serving(bucket) as endpoint:
        download_series(series, tmp_path / "s", endpoint=endpoint, on_file=lambda: done.append(1))
        assert len(done) == len(bucket.sent) == 3
        download_series(series, tmp_path / "s", endpoint=endpoint)
    assert held(tmp_path / "s") == {name: bucket.files[key] for name, key in zip(NAMES, KEYS, strict=True)}
    assert len(bucket.sent) == 3


def test_a_file_that_was_cut_off_goes_on_where_it_stopped(bucket, series, tmp_path):
    bucket.cut = {KEYS[1]: 2}
    get(bucket, series, tmp_path)
    assert held(tmp_path)[NAMES[1]] == bucket.files[KEYS[1]]
    ranges = [wanted for key, wanted in bucket.sent if key == KEYS[1]]
    assert ranges[0] == ""
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in ranges[1:]]
    assert starts == sorted(starts)
    assert starts[0] > 0


def test_a_file_that_keeps_being_cut_off_is_named_and_goes_on_with_the_next_command(bucket, series, tmp_path):
    bucket.cut = {KEYS[1]: 99}
    with pytest.raises(UserError, match=r"image%201\.dcm did not arrive whole") as error:
        get(bucket, series, tmp_path)
    assert "same command again" in error.value.fix
    left = {NAMES[0], f"{NAMES[1]}.part"}  # and the third, where it was begun before the second failed
    assert left <= set(held(tmp_path)) <= {*left, NAMES[2]}
    bucket.cut = {}
    get(bucket, series, tmp_path)
    assert held(tmp_path) == {name: bucket.files[key] for name, key in zip(NAMES, KEYS, strict=True)}


def test_a_file_with_another_checksum_is_refused_and_not_kept(bucket, series, tmp_path):
    bucket.wrong = {KEYS[2]}
    with pytest.raises(UserError, match=r"image%202.*another size or checksum") as error:
        get(bucket, series, tmp_path)
    assert "MD5" in error.value.expected
    assert sorted(held(tmp_path)) == NAMES[:2]


def test_a_part_that_is_longer_than_the_file_is_begun_anew(bucket, series, tmp_path):
    (tmp_path / f"{NAMES[0]}.part").write_bytes(b"x" * 9000)
    get(bucket, series, tmp_path)
    assert held(tmp_path)[NAMES[0]] == bucket.files[KEYS[0]]


def test_a_bucket_with_another_number_of_files_than_the_index_is_refused(bucket, tmp_path):
    with pytest.raises(UserError, match=r"holds 3 files .* lists 4"):
        get(bucket, row("DWI", files=4, address="s3://idc-open-data/series-1/*"), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_no_network_is_said(series, tmp_path):
    with pytest.raises(UserError, match="cannot be listed"):
        download_series(series, tmp_path / "s", endpoint="http://127.0.0.1:9/{bucket}")


def test_a_disk_without_room_is_told_before_anything_is_sent(bucket, series, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=9000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="0 MB are needed and 0 MB are free"):
        get(bucket, series, tmp_path)
    assert not bucket.sent


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_fills_up_is_told_with_the_file(bucket, series, tmp_path):
    (tmp_path / f"{NAMES[0]}.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"full: image 0\.dcm could not be written"):
        get(bucket, series, tmp_path)
