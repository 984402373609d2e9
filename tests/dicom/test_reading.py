import subprocess
import sys
from pathlib import Path

import pytest

from uteroseg.dicom import reading
from uteroseg.dicom.scan import Scan, scan_folder

from .build import Recipe, truncate, write_series


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_series(tmp_path / "a", Recipe(b_values=(0, 500)))
    write_series(tmp_path / "b", Recipe(b_values=(800,), implicit=True, number=4))
    files = write_series(tmp_path / "c", Recipe(b_values=(0, 500), number=5))
    truncate(files[0], -9)
    truncate(files[1], 700)
    files[2].write_bytes(files[2].read_bytes()[132:])  # without a preamble it is left to pydicom
    (tmp_path / "c" / "notes.txt").write_text("no image")
    return tmp_path


def _content(scan: Scan) -> object:
    series = [
        (one.name, one.kind, one.reason, one.files, one.unreadable, [str(header) for header in one.headers])
        for one in scan.series
    ]
    return series, scan.skipped


def _over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MANY", 1)
    monkeypatch.setattr(reading, "_CHUNK", 4)
    monkeypatch.setattr(reading, "cores", lambda: 2)


def test_processes_give_what_one_process_gives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _content(scan_folder(folder))
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(1) or popen(*a, **k))
    _over_processes(monkeypatch)
    assert _content(scan_folder(folder)) == alone
    assert len(started) == 2


def test_the_processes_do_the_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_here = []
    read = reading._read
    monkeypatch.setattr(reading, "_read", lambda path: read_here.append(path) or read(path))
    _over_processes(monkeypatch)
    scan_folder(folder)
    assert [path.parent.name for path in read_here] == ["c"]  # the one without a preamble


@pytest.mark.parametrize("executable", ["/nowhere/python", "", "/bin/false"])
def test_without_processes_files_are_read_here(
    executable: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = _content(scan_folder(folder))
    _over_processes(monkeypatch)
    monkeypatch.setattr(sys, "executable", executable)
    assert _content(scan_folder(folder)) == alone


def test_one_core_starts_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _over_processes(monkeypatch)
    monkeypatch.setattr(reading, "cores", lambda: 1)
    monkeypatch.setattr(reading, "_read_over", None)
    assert len(scan_folder(folder).series) == 3


def test_a_script_without_a_guard_runs_once(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("script") / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from uteroseg.dicom import reading\n"
        "from uteroseg.dicom.scan import scan_folder\n"
        "print('begins', flush=True)\n"
        "reading.MANY, reading.cores = 1, lambda: 2\n"
        f"print(len(scan_folder(Path({str(folder)!r})).series))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["begins", "3"]
    assert ran.stderr == ""


def test_a_header_that_cannot_be_classified_is_told_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(header: object) -> None:
        raise TypeError("nobody expected this")

    reading._classify_alike.cache_clear()
    monkeypatch.setattr(reading, "classify", fail)
    scan = scan_folder(folder / "a")
    assert scan.series == ()
    assert len(scan.skipped) == 10
    assert "nobody expected this" in scan.skipped[0].reason
    assert scan.skipped[0].series_uid
