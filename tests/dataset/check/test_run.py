"""Reports and contact sheets."""

import io

import numpy as np
import pytest
from PIL import Image

from tests import tiny
from uteroseg.dataset.check.images import CheckedImages
from uteroseg.dataset.check.run import check_dataset
from uteroseg.dataset.check.sheet import strip, write_sheets
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError


def test_processes_find_what_one_process_finds(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=2, test=1)
    (dataset.root / "sub-0003/dwi/sub-0003_dwi.bval").unlink()
    one, two = (check_dataset(dataset.root, workers=n) for n in (1, 2))
    assert one == two
    assert [finding.where for finding in one.of("error")] == ["sub-0003"]
    assert one.findings[0].severity == "error"


def test_pictures_show_every_case_even_a_broken_one(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=6, test=1)
    (dataset.root / "sub-0003/dwi/sub-0003_dwi.bval").unlink()
    report = check_dataset(dataset.root, pictures=tmp_path / "p", workers=1)
    assert [path.name for path in report.sheets] == ["sheet-001.png", "sheet-002.png"]
    for path in report.sheets:
        with Image.open(path) as sheet:
            assert sheet.size[0] > 600
    with pytest.raises(UserError, match="holds something"):
        check_dataset(dataset.root, pictures=tmp_path / "p")


def test_a_picture_has_the_outline_where_the_mask_is():
    study, mask = tiny.study(2)
    images = CheckedImages(
        geometry=study.geometry,
        signal=study.signal,
        adc=study.fit().adc,
        body=study.signal[0] > 50,
        b_values=study.b_values,
    )

    def outlined(data):
        pixels = np.asarray(Image.open(io.BytesIO(strip("sub-0001", images, data, []))).convert("RGB"))
        return np.argwhere((pixels == (0, 176, 155)).all(axis=-1))

    found = outlined(mask.data)
    assert len(found) > 30
    middle = np.median(found[found[:, 1] < 220], axis=0)
    number = int(np.argmax(mask.data.sum(axis=(1, 2))))
    rows, columns = np.nonzero(mask.data[number])
    expected = (20 + (rows.mean() + 0.5) * 220 / 48, (columns.mean() + 0.5) * 220 / 48)
    assert np.abs(middle - expected).max() < 6
    assert len(outlined(None)) == 0


def test_no_strips_make_no_sheet(tmp_path):
    assert write_sheets([], tmp_path) == []


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a dataset"):
        check_dataset(tmp_path)


def test_an_empty_dataset_has_nothing_wrong(tmp_path):
    assert check_dataset(Dataset.open_or_create(tmp_path / "d").root).findings == ()
