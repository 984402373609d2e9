"""Read and write NIfTI: the one place where ``[slice, row, column]`` meets ``(i, j, k)``.

A field of the header that changes what voxels mean is obeyed or refused.

References
----------
nifti.nimh.nih.gov: nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import IO, Any, Literal, cast

import nibabel as nib
import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry, corners_of
from uteroseg.imaging.labels import label_values
from uteroseg.imaging.study import Mask

Form = Literal["qform", "sform"]
"""The two places that a NIfTI header can give for its grid."""

MAX_FORMS_APART = 0.1
"""How far apart, voxels, the two places may lie: rounding stays far below, a wrong header above."""

_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_SINGLE, _PAIR = (b"n+1", b"n+2"), (b"ni1", b"ni2")
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_CODES = range(6)
_SCALARS = {*range(25), 1001, 1002, 1003, 1011, 2001}
"""Intent codes under which a voxel is one number: statistics, estimates, labels, time series."""


def write_image(path: Path, image: Array, geometry: Geometry) -> None:
    """Write an image, shape ([volumes,] slices, rows, columns), in its own data type."""
    nifti = nib.Nifti1Image(image.T, geometry.nifti_affine)
    nifti.header.set_xyzt_units("mm", "sec" if image.ndim == 4 else None)
    nifti.set_qform(geometry.nifti_affine, code="scanner")
    nifti.set_sform(geometry.nifti_affine, code="scanner")
    if _apart(nifti.header)[1] > MAX_FORMS_APART / 10:  # a qform knows no skewed grid
        nifti.set_qform(None, code="unknown")
    nib.save(nifti, path)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask as unsigned bytes, 0 and 1."""
    write_image(path, mask.data.astype(np.uint8), mask.geometry)


def read_image(path: Path, *, form: Form | None = None) -> tuple[Array, Geometry]:
    """Read a 3-D or 4-D image.

    Parameters
    ----------
    path : Path
    form : {"qform", "sform"}, optional
        The place that counts where the header's two lie apart, or where neither is said to be valid.

    Returns
    -------
    image : ndarray of float32, shape (slices, rows, columns) or (volumes, slices, rows, columns)
    geometry : Geometry

    Raises
    ------
    UserError
        If the file cannot be read, has another number of dimensions, voxels that are no numbers, or a
        place that is not certain.
    """
    header = _header(path)
    geometry = _geometry(path, header, form)
    try:
        return _voxels(path, header), geometry
    except Exception as error:  # a damaged file can fail anywhere
        raise _unreadable(path, error) from error


def read_geometry(path: Path, *, form: Form | None = None) -> Geometry:
    """Read where an image lies, without its voxels; raises as `read_image` does."""
    return _geometry(path, _header(path), form)


def forms_apart(path: Path) -> tuple[float, float]:
    """How far apart, mm and voxels, the two places lie that a header gives for its grid; 0 with one alone."""
    header = _header(path)
    if len(_claimed(header)) < 2:
        return 0.0, 0.0
    try:
        mm, voxels, _ = _apart(header)
    except Exception as error:
        raise _unreadable(path, error) from error
    return mm, voxels


def read_mask(path: Path, label: int | None = None, *, form: Form | None = None) -> Mask:
    """Read a mask.

    Parameters
    ----------
    path : Path
    label : int, optional
        The value that means tumour. By default the file must be binary: 0 and one other value.
    form : {"qform", "sform"}, optional
        As for `read_image`.

    Raises
    ------
    UserError
        If the file is not a 3-D label map, or holds several labels and none was chosen.
    """
    image, geometry = read_image(path, form=form)
    foreground = label_values(image, path)
    if label is None and len(foreground) > 1:
        raise UserError(
            f"{path} holds the labels {foreground}.",
            expected="one label, the tumour's.",
            fix="say which value is the tumour (column 'label' of the annotation table).",
        )
    return Mask(image != 0 if label is None else image == label, geometry)


def _header(path: Path) -> Any:
    """The header as it stands in the file, where what could be misread has been refused."""
    try:
        with _opened(_file(path, "hdr")) as file:
            block = file.read(max(_HEADERS))
        header = _parsed(block)
        _require_known(header)
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist.", expected="a NIfTI file.", fix="check the path for a typing error."
        ) from None
    except Exception as error:  # a damaged header can fail anywhere in nibabel
        raise _unreadable(path, error) from error
    if len(_shape(header)) not in (3, 4):
        raise UserError(
            f"{path} has the dimensions {_shape(header)}.",
            expected="a 3-D image, or a 4-D one with a volume per b-value.",
            fix="convert the image again, or split it.",
        )
    return header


def _parsed(block: bytes) -> Any:
    for order, code in (("little", "<"), ("big", ">")):
        size = int.from_bytes(block[:4], cast(Literal["little", "big"], order))
        if size in _HEADERS:
            header = _HEADERS[size](block[:size], code, check=False)
            break
    else:
        raise ValueError("it does not begin as a NIfTI file does")
    if not bytes(header["magic"]).startswith((*_SINGLE, *_PAIR)):
        raise ValueError("it is in Analyze format, which does not say where in the patient it lies")
    return header


def _require_known(header: Any) -> None:
    """Raise ValueError for a field whose value changes what voxels mean in a way that is not read."""
    lengths = header["dim"][1 : int(header["dim"][0]) + 1]
    if not 1 <= header["dim"][0] <= 7 or (lengths < 1).any():
        raise ValueError(f"dim = {header['dim'].tolist()}: a count and lengths of dimensions are expected")
    types: Any = nib.nifti1.data_type_codes.dtype
    dtype = types.get(int(header["datatype"]), np.dtype("V"))
    if dtype.kind not in "iuf":
        raise ValueError(f"datatype = {header['datatype']}: one whole or real number a voxel is expected")
    if int(header["intent_code"]) not in _SCALARS:
        raise ValueError(f"intent_code = {header['intent_code']}: one number a voxel is expected")
    if int(header["xyzt_units"]) % 8 not in _MM:
        raise ValueError(
            f"xyzt_units = {header['xyzt_units']}: metres, millimetres or micrometres are expected"
        )
    for code in ("qform_code", "sform_code"):
        if int(header[code]) not in _CODES:
            raise ValueError(f"{code} = {header[code]}: 0 to 5 are expected")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    alone = np.nan_to_num(intercept) and (slope == 0 or np.isnan(slope))  # some programs add it
    if np.isinf(slope) or alone:
        raise ValueError(f"scl_slope = {slope:g}, scl_inter = {intercept:g}: a slope is expected")


def _shape(header: Any) -> tuple[int, ...]:
    """Lengths (i, j, k[, volumes]); those of 1 beyond the third are no dimensions."""
    shape = [int(n) for n in header["dim"][1 : int(header["dim"][0]) + 1]]
    while len(shape) > 3 and shape[-1] == 1:
        del shape[-1]
    return tuple(shape)


def _geometry(path: Path, header: Any, form: Form | None) -> Geometry:
    try:
        return Geometry.from_nifti(_shape(header)[:3], _affine(path, header, form))
    except ValueError as error:
        raise _unreadable(path, error) from error


def _affine(path: Path, header: Any, form: Form | None) -> Array:
    """The affine (RAS, mm) of the one place that is valid, or that was chosen."""
    claimed = _claimed(header)
    if len(claimed) == 1:
        return _matrix(header, claimed[0])
    if form:
        return _matrix(header, form)
    if not claimed:
        raise UserError(
            f"{path} does not say where it lies: qform_code and sform_code are 0.",
            expected="a qform or an sform that is valid.",
            fix="convert the image again from its DICOM files; where one of them is known to be right, set "
            '`nifti_form` to "qform" or "sform".',
        )
    mm, voxels, corner = _apart(header)
    if voxels > MAX_FORMS_APART:
        told = " and at ".join(
            f"({', '.join(f'{mm:.1f}' for mm in place)}) by its {name}" for name, place in corner.items()
        )
        raise UserError(
            f"{path} gives two places for its grid, up to {mm:.1f} mm apart: a corner lies at {told} (RAS).",
            expected="one place, to a tenth of a voxel.",
            fix="convert the image again from its DICOM files; or look in a viewer which one is right, and "
            'set `nifti_form` to "qform" or "sform".',
        )
    return _matrix(header, "sform")


def _claimed(header: Any) -> list[Form]:
    forms: tuple[Form, Form] = ("qform", "sform")
    return [form for form in forms if header[f"{form}_code"] > 0]


def _matrix(header: Any, form: Form) -> Array:
    """Either affine (RAS, mm), whether it is said to be valid or not."""
    header = header.copy()
    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1  # as the standard says
    try:
        matrix = np.array(header.get_qform() if form == "qform" else header.get_sform(), float)
        if not np.isfinite(matrix).all():
            raise ValueError("it is not finite")
        if not np.linalg.det(matrix):
            raise ValueError("it is singular")
    except Exception as error:  # of numbers that are no rotation or no lengths
        raise ValueError(f"its {form} is no place: {error}") from error
    return np.diag([*[_MM[int(header["xyzt_units"]) % 8]] * 3, 1.0]) @ matrix


def _apart(header: Any) -> tuple[float, float, dict[Form, Array]]:
    """The distance of the two places, mm and voxels, and both places of the corner that is furthest."""
    qform, sform = _matrix(header, "qform"), _matrix(header, "sform")
    corners = np.insert(corners_of(_shape(header)[:3]), 3, 1, axis=1)
    places = corners @ qform.T, corners @ sform.T
    mm = np.linalg.norm(places[0] - places[1], axis=1)
    voxels = np.linalg.norm((places[0] - places[1]) @ np.linalg.inv(sform).T, axis=1)
    furthest = int(voxels.argmax())
    return (
        float(mm[furthest]),
        float(voxels[furthest]),
        {"qform": places[0][furthest, :3], "sform": places[1][furthest, :3]},
    )


def _voxels(path: Path, header: Any) -> Array:
    single = bytes(header["magic"]).startswith(_SINGLE)
    offset = float(header["vox_offset"])
    if offset != int(offset) or offset < (header.single_vox_offset if single else 0):
        raise ValueError(f"vox_offset = {offset:g}: where the voxels begin, beyond the header, is expected")
    raw = np.empty(_shape(header)[::-1], header.get_data_dtype())
    with _opened(path if single else _file(path, "img")) as file:
        file.seek(int(offset))
        count = file.readinto(raw.view(np.uint8).data)  # type: ignore[attr-defined]
        if count < raw.nbytes:
            raise ValueError(f"its voxels end early, {count} of {raw.nbytes} bytes")
        if file.read(1):  # this verifies a compressed file's checksum too
            raise ValueError(f"it holds more than the {raw.nbytes} bytes of voxels that its header tells")
    slope, intercept = header.get_slope_inter()
    return nib.volumeutils.apply_read_scaling(raw, slope, intercept).astype(np.float32, copy=False)


def _file(path: Path, ending: str) -> Path:
    """Of a pair named ``.hdr`` and ``.img``, in any capitals, the one asked for; else the file itself."""
    pair = re.fullmatch(r"(.+\.)(hdr|img)(\.gz)?", path.name, re.IGNORECASE)
    if not pair or pair[2].lower() == ending:
        return path
    names = {f"{pair[1]}{ending}{gz}".lower() for gz in ("", ".gz")}
    found = [other for other in path.parent.iterdir() if other.name.lower() in names]
    if len(found) != 1:
        raise ValueError(f"it needs one file {pair[1]}{ending} beside it, there are {len(found)}")
    return found[0]


def _opened(path: Path) -> IO[bytes]:
    """The file, decompressed where its content is, whatever its name."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")  # a pipe would be waited for
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if compressed else path.open("rb")


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be read ({' '.join(str(error).split()) or type(error).__name__}).",
        expected="a whole NIfTI file (.nii or .nii.gz).",
        fix="copy or convert the file again.",
    )
