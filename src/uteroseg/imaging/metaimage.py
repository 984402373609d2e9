"""Read MetaImage, the format of ITK: a text header, then voxels in the same file or in another.

References
----------
MetaIO documentation, itk.org/Wiki/ITK/MetaIO/Documentation. Coordinates are those of DICOM (LPS, mm).
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry

_LONGEST_HEADER = 2**16
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def read_metaimage(path: Path) -> tuple[Array, Geometry]:
    """Read a 3-D image.

    Returns
    -------
    image : ndarray, shape (slices, rows, columns)
    geometry : Geometry

    Raises
    ------
    UserError
        If the file cannot be read or has another number of dimensions.
    """
    try:
        with path.open("rb") as file:
            header = _header(file.readlines(_LONGEST_HEADER))
            file.seek(int(header["length"]))
            voxels = file.read() if header["ElementDataFile"] == "LOCAL" else None
        return _image(
            header, (path.parent / header["ElementDataFile"]).read_bytes() if voxels is None else voxels
        )
    except Exception as error:  # of a damaged file
        raise UserError(
            f"{path} cannot be read ({' '.join(str(error).split()) or type(error).__name__}).",
            expected="a whole 3-D MetaImage (.mha, or .mhd with its voxels beside it).",
            fix="export it again, or as NIfTI.",
        ) from error


def _header(lines: list[bytes]) -> dict[str, str]:
    """Keys and values, and under ``length`` where the voxels begin."""
    header, length = {}, 0
    for line in lines:
        length += len(line)
        key, _, value = line.decode("ascii").partition("=")
        header[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return {**header, "length": str(length)}
    raise ValueError("its header has no end")


def _image(header: dict[str, str], voxels: bytes) -> tuple[Array, Geometry]:
    columns, rows, slices = (int(n) for n in header["DimSize"].split())
    if int(header.get("ElementNumberOfChannels", 1)) != 1:
        raise ValueError("its voxels have several channels")
    big = header.get("BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB", "False"))
    dtype = np.dtype(_TYPES[header["ElementType"]]).newbyteorder(">" if big == "True" else "<")
    size = columns * rows * slices * dtype.itemsize
    if header.get("CompressedData", "False") == "True":
        voxels = zlib.decompressobj().decompress(voxels, size)
    if len(voxels) < size:
        raise ValueError(f"its voxels end early, {len(voxels)} of {size} bytes")
    image = np.frombuffer(voxels[:size], dtype).reshape(slices, rows, columns)
    axes = np.array(header["TransformMatrix"].split(), float).reshape(3, 3)
    spacing = np.array(header["ElementSpacing"].split(), float)
    affine = np.eye(4)
    affine[:3, :3] = (axes * spacing[:, None])[::-1].T
    affine[:3, 3] = np.array(header["Offset"].split(), float)
    return image.astype(dtype.newbyteorder("=")), Geometry((slices, rows, columns), affine)
