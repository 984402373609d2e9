"""Read NRRD images, and the names of segments that 3D Slicer keeps in them.

A field that changes what voxels mean is obeyed or refused, as is one that is not known; of keys with ``:=``,
which the format leaves to whoever writes it, those of 3D Slicer's segments are read.

References
----------
Definition of NRRD File Format, teem.sourceforge.net/nrrd/format.html; 3D Slicer's Segmentations module
(``.seg.nrrd``).
"""

from __future__ import annotations

import bz2
import gzip
import io
import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.voxels import as_array, as_text, byte_count, file_beside, unexpected, unknown

_LONGEST_HEADER = 2**22
_LPS = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1, 1, 1)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1, -1, 1)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1, -1, 1)),
}
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long"), "i8"),
    **dict.fromkeys(("signed long long int", "int64", "int64_t"), "i8"),
    **dict.fromkeys(
        ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"
    ),
    "float": "f4",
    "double": "f8",
}
_OBEYED = {
    *("type", "dimension", "sizes", "encoding", "endian", "lineskip", "byteskip", "datafile", "kinds"),
    *("space", "spacedirections", "spaceorigin"),
}
_WITHOUT_EFFECT = {  # centerings too: the origin is the centre of the first voxel in any case
    *("content", "number", "min", "max", "sampleunits", "labels", "thicknesses", "centerings", "centers"),
    "measurementframe",
}
_NONE = ("none", "???", "nan", "")
_IN_SPACE = {  # what a field may say of dimensions that have a vector
    "kinds": ("domain", "space", *_NONE),
    **dict.fromkeys(("spacings", "axis mins", "axis maxs"), _NONE),
    **dict.fromkeys(("units", "space units"), ("mm", *_NONE)),
}
_KNOWN = _OBEYED | _WITHOUT_EFFECT | {field.replace(" ", "") for field in _IN_SPACE}
_SEGMENT = re.compile(r"Segment(\d+)_(?:ID|Name|LabelValue|Layer)")


@dataclass(frozen=True)
class Segment:
    """What a header says of one segment.

    Parameters
    ----------
    layer : int
    value : int, optional
        Its label in that layer; None where the header does not say (3D Slicer before 4.11 wrote one layer of
        zeros and ones for each segment, in their order).
    name : str
    """

    layer: int
    value: int | None
    name: str


def read_nrrd(path: Path) -> tuple[Array, Geometry, tuple[Segment, ...]]:
    """Read a 3-D image, or layers of a segmentation.

    Returns
    -------
    image : ndarray, shape ([layers,] slices, rows, columns)
    geometry : Geometry
    segments : tuple of Segment
        Each segment that the header names, whether the voxels hold it or not, in its order.

    Raises
    ------
    UserError
        If the file cannot be read, does not say where it lies in the patient, or has a field that is not
        known.
    """
    try:
        with path.open("rb") as file:
            fields, keys = _header(file)
            sizes, layer_axis, geometry = _grid(fields)
            if "datafile" in fields:
                content = file_beside(path, "data file", fields["datafile"]).read_bytes()
            else:
                content = file.read()
        image = _image(fields, content, sizes)
        if layer_axis is not None:
            image = np.ascontiguousarray(np.moveaxis(image, len(sizes) - 1 - layer_axis, 0))
        return image, geometry, _segments(keys, layers=len(image) if image.ndim == 4 else 1)
    except Exception as error:  # of a damaged file
        raise UserError(
            f"{path} cannot be read ({' '.join(str(error).split()) or type(error).__name__}).",
            expected="a whole NRRD file with space, space directions and space origin.",
            fix="export it again, or as NIfTI.",
        ) from error


def _header(file: IO[bytes]) -> tuple[dict[str, str], dict[str, str]]:
    """Fields, their names in small letters without spaces, and keys; the file stands behind them."""
    if not re.fullmatch(rb"NRRD000[1-5]\s*", file.readline(_LONGEST_HEADER)):
        raise ValueError("it does not begin as an NRRD file does, with NRRD0001 to NRRD0005")
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    while text := as_text(file.readline(_LONGEST_HEADER)).rstrip():
        if text.startswith("#"):
            continue
        match = re.match(r"(.+?):(=| )(.*)", text)
        if not match or file.tell() > _LONGEST_HEADER:
            raise ValueError(f"the line {text[:50]!r} of its header is no field")
        name, value = match[1].lower().replace(" ", ""), match[3].strip()
        if match[2] == " " and name not in _KNOWN:
            raise unknown(match[1], value)
        of_its_kind, name = (keys, match[1]) if match[2] == "=" else (fields, name)
        if name in of_its_kind:
            raise ValueError(f"{match[1]} stands twice in its header")
        of_its_kind[name] = value
    for name in ("type", "dimension", "sizes", "encoding", "space", "space directions", "space origin"):
        if name.replace(" ", "") not in fields:
            raise ValueError(f"its header lacks the field {name!r}")
    return fields, keys


def _grid(fields: Mapping[str, str]) -> tuple[list[int], int | None, Geometry]:
    """Lengths, fastest first; which of the dimensions counts layers; where the others lie."""
    sizes = [int(n) for n in fields["sizes"].split()]
    if len(sizes) != int(fields["dimension"]) or len(sizes) not in (3, 4) or min(sizes) < 1:
        raise unexpected("sizes", fields["sizes"], "three lengths, or four with layers, are")
    if fields["space"].lower() not in _LPS:
        raise unexpected("space", fields["space"], "left-posterior-superior, or with right or anterior, is")
    signs = np.array(_LPS[fields["space"].lower()])
    directions = _vectors("space directions", fields["spacedirections"])
    spatial = {axis: vector * signs for axis, vector in enumerate(directions) if vector is not None}
    if len(directions) != len(sizes) or tuple(spatial) not in ((0, 1, 2), (1, 2, 3)):
        raise unexpected("space directions", fields["spacedirections"], "a vector for three dimensions is")
    origin = _vectors("space origin", fields["spaceorigin"])
    if len(origin) != 1 or origin[0] is None:
        raise unexpected("space origin", fields["spaceorigin"], "a point is")
    _require_plain(fields, len(sizes), spatial)
    affine = np.eye(4)
    affine[:3, :3] = np.stack(list(spatial.values())[::-1], axis=1)
    affine[:3, 3] = origin[0] * signs
    columns, rows, slices = (sizes[axis] for axis in spatial)
    layers = next((axis for axis in range(len(sizes)) if axis not in spatial), None)
    return sizes, layers, Geometry((slices, rows, columns), affine)


def _vectors(field: str, text: str) -> list[Array | None]:
    """The vectors of a field, None for each that is ``none`` or of NaN."""
    found: list[Array | None] = []
    for match in re.finditer(r"\(([^)]*)\)|\S+", text):
        vector = np.array([float(part) for part in match[1].split(",")] if match[1] else [np.nan] * 3)
        if vector.shape != (3,) or not (np.isfinite(vector).all() or np.isnan(vector).all()):
            raise unexpected(field, text, "vectors of three numbers are")
        if match[1] is None and match[0].lower() != "none":
            raise unexpected(field, text, "vectors of three numbers are")
        found.append(vector if np.isfinite(vector).all() else None)
    return found


def _require_plain(fields: Mapping[str, str], axes: int, spatial: Collection[int]) -> None:
    """Raise ValueError where a field says of a dimension what its vector leaves no room for."""
    for field, allowed in _IN_SPACE.items():
        text = fields.get(field.replace(" ", ""))
        if text is None:
            continue
        values = shlex.split(text.lower())
        if len(values) != (3 if field == "space units" else axes):
            raise unexpected(field, text, "a value for each dimension is")
        for axis, value in enumerate(values):
            if (axis in spatial or field == "space units") and value not in allowed:
                raise unexpected(field, text, f"{allowed[0]} for dimensions in space is")
            if axis not in spatial and field == "kinds" and value not in ("list", *_NONE):
                raise unexpected(field, text, "list for a dimension that is not in space is")


def _image(fields: Mapping[str, str], content: bytes, sizes: list[int]) -> Array:
    """The voxels, the fastest dimension last."""
    kind, encoding = fields["type"].lower(), fields["encoding"].lower()
    if kind not in _TYPES:
        raise unexpected("type", fields["type"], "a type of whole or real numbers is")
    dtype, ascii_text = np.dtype(_TYPES[kind]), encoding in ("ascii", "text", "txt")
    if dtype.itemsize > 1 and not ascii_text:
        endian = fields.get("endian", "").lower()
        if endian not in ("little", "big"):
            raise unexpected("endian", endian, "little or big is")
        dtype = dtype.newbyteorder("<" if endian == "little" else ">")
    size, skip, stream = byte_count(dtype, sizes), int(fields.get("byteskip", 0)), io.BytesIO(content)
    if skip < (-1 if encoding == "raw" else 0):
        raise unexpected("byte skip", skip, "a number of bytes (or, of raw voxels, -1) is")
    lines = int(fields.get("lineskip", 0))
    if lines < 0 or any(not stream.readline() for _ in range(lines)):
        raise unexpected("line skip", lines, "a number of lines that are there is")
    if encoding == "raw":
        voxels = stream.read()
        voxels = voxels[max(len(voxels) - size, 0) if skip == -1 else skip :]
    elif encoding in ("gzip", "gz", "bzip2", "bz2"):
        inflated = gzip.GzipFile(fileobj=stream) if encoding.startswith("g") else bz2.BZ2File(stream)
        voxels = inflated.read(skip + size + 1)[skip:]  # one byte too many: reaches the checksum
    elif encoding == "hex":
        voxels = bytes.fromhex(stream.read()[skip:].decode("ascii"))
    elif ascii_text:
        parse = int if dtype.kind in "iu" else float
        voxels = np.array([parse(word) for word in stream.read()[skip:].split()], dtype).tobytes()
    else:
        raise unexpected("encoding", encoding, "raw, gzip, bzip2, ascii or hex is")
    return as_array(voxels, dtype, sizes[::-1])


def _segments(keys: Mapping[str, str], layers: int) -> tuple[Segment, ...]:
    numbers = sorted({int(match[1]) for key in keys if (match := _SEGMENT.fullmatch(key))})
    segments = []
    for place, number in enumerate(numbers):
        value, layer, name = (keys.get(f"Segment{number}_{of}") for of in ("LabelValue", "Layer", "Name"))
        if not layer and value and layers > 1:
            raise ValueError(f"Segment{number}_Layer is missing, and there are {layers} layers")
        layer = layer or str(place if layers > 1 else 0)
        segments.append(Segment(int(layer), int(value) if value else None, name or ""))
    return tuple(segments)
