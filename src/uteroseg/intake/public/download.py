"""Files of a public bucket over plain HTTPS: checked, resumed where they were cut off, whole or not at all.

References
----------
Amazon S3 API, ListObjectsV2: keys with their sizes; the ETag of a file stored in one piece is its MD5.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from uteroseg.errors import UserError
from uteroseg.intake.public.index import IndexedSeries

ENDPOINT = "https://{bucket}.s3.amazonaws.com"

_THREADS = 8
_TRIES = 4
_PAUSE_S = 1.0  # before the second try; twice as long before each further one
_TIMEOUT_S = 60.0
_CHUNK = 2**20
_CUT_OFF = (http.client.HTTPException, ConnectionError, TimeoutError, urllib.error.URLError)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a bucket.

    Parameters
    ----------
    url : str
    name : str
    size : int
        Bytes.
    md5 : str
        Hexadecimal; empty where the bucket does not tell it.
    """

    url: str
    name: str
    size: int
    md5: str


def download_series(
    series: IndexedSeries,
    folder: Path,
    *,
    endpoint: str = ENDPOINT,
    on_file: Callable[[], None] = lambda: None,
) -> None:
    """Get the files of a series into a folder; those that are there whole are left.

    Parameters
    ----------
    series : IndexedSeries
    folder : Path
        Made where it is missing. A file that is not whole is named ``….part``.
    endpoint : str
        With a place for ``{bucket}``.
    on_file : callable
        Called for every file that is done.

    Raises
    ------
    UserError
        If the network fails several times, a file has another size or checksum than the bucket says, the
        bucket holds another number of files than the index, or the disk is full.
    """
    files = list_bucket(series, endpoint=endpoint)
    if len(files) != series.files:
        raise UserError(
            f"The bucket holds {len(files)} files of series {series.uid}, the index lists {series.files}.",
            expected="the same number.",
            fix="update the index (pip install -U idc-index-data), or leave this series out.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    _require_room(folder, files)
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(lambda file: download(file, folder), files):
            on_file()


def list_bucket(series: IndexedSeries, *, endpoint: str = ENDPOINT) -> list[RemoteFile]:
    """The files of a series as its bucket lists them; raises UserError where it cannot be asked."""
    bucket, prefix = series.place
    base = endpoint.format(bucket=bucket)
    files: list[RemoteFile] = []
    token = ""
    while True:
        query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
        url = f"{base}/?{urllib.parse.urlencode(query)}"
        page = _page(url)
        files += [_listed(item, base) for item in page.iter() if _tag(item) == "Contents"]
        token = next((item.text or "" for item in page.iter() if _tag(item) == "NextContinuationToken"), "")
        if not token:
            return files


def download(file: RemoteFile, folder: Path) -> None:
    """Get one file; what was cut off before is gone on with.

    Raises
    ------
    UserError
        If it does not arrive as the bucket lists it, or the disk is full.
    """
    target = folder / file.name
    if target.is_file() and _is_whole(target, file):
        return
    part = target.with_name(f"{target.name}.part")
    problem = ""
    for number in range(_TRIES):
        _pause(number)
        try:
            _receive(file, part)
        except _CUT_OFF as error:
            problem = _words(error)
            continue
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _full(folder, f"{file.name} could not be written") from error
            raise
        if _is_whole(part, file):
            part.replace(target)
            return
        problem = f"{part.stat().st_size} bytes arrived, with another size or checksum than listed"
        if part.stat().st_size >= file.size:
            part.unlink()  # nothing to go on with
    raise UserError(
        f"{file.url} did not arrive whole ({problem}).",
        expected=f"{file.size} bytes{f' with the MD5 {file.md5}' if file.md5 else ''}.",
        fix="give the same command again: it goes on where it stopped.",
    )


def _receive(file: RemoteFile, part: Path) -> None:
    """Add to a part what it lacks, or begin anew where the server does not go on in the middle."""
    present = part.stat().st_size if part.is_file() else 0
    if present > file.size:
        part.unlink()
        present = 0
    if present == file.size and present:
        return
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={present}-"} if present else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        goes_on = present and response.status == http.client.PARTIAL_CONTENT
        with part.open("ab" if goes_on else "wb") as out:
            while chunk := response.read(_CHUNK):
                out.write(chunk)


def _pause(number: int) -> None:
    if number:
        time.sleep(_PAUSE_S * 2 ** (number - 1))


def _is_whole(path: Path, file: RemoteFile) -> bool:
    if path.stat().st_size != file.size:
        return False
    if not file.md5:
        return True
    with path.open("rb") as data:
        return hashlib.file_digest(data, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == file.md5


def _page(url: str) -> ElementTree.Element:
    problem = ""
    for number in range(_TRIES):
        _pause(number)
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
                return ElementTree.fromstring(response.read())
        except (*_CUT_OFF, ElementTree.ParseError) as error:
            problem = _words(error)
    raise UserError(
        f"{url} cannot be listed ({problem}).",
        expected="the public bucket of Imaging Data Commons.",
        fix="check the connection (a proxy is taken from HTTPS_PROXY) and give the same command again.",
    )


def _listed(item: ElementTree.Element, base: str) -> RemoteFile:
    values = {_tag(child): child.text or "" for child in item}
    etag, key = values.get("ETag", "").strip('"'), values["Key"]
    name = PurePosixPath(key).name
    md5 = etag if len(etag) == 32 and "-" not in etag else ""
    return RemoteFile(f"{base}/{urllib.parse.quote(key)}", name, int(values["Size"]), md5)


def _tag(item: ElementTree.Element) -> str:
    """Its name without the namespace."""
    return item.tag.rsplit("}", 1)[-1]


def _require_room(folder: Path, files: Sequence[RemoteFile]) -> None:
    needed = sum(file.size for file in files if not (folder / file.name).is_file())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise _full(folder, f"{needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free")


def _full(folder: Path, problem: str) -> UserError:
    return UserError(
        f"The disk of {folder} is full: {problem}.",
        expected="room for the series.",
        fix="free some room, then give the same command again: it goes on where it stopped.",
    )


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
