"""Diffusion studies among image files: NIfTI with ``.bval``, or an ADC map and one image of high b.

Free of pydicom and scipy, which a prediction has no use for.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.dataset.study_files import (
    ADC_ELSEWHERE,
    ADC_UNREADABLE,
    BVAL_ENDINGS,
    bval_of,
    read_b_values,
    read_study,
)
from uteroseg.errors import UserError, printable
from uteroseg.files import files_below, read_json
from uteroseg.imaging.derived import adc_factor, marks_of, study_of_map
from uteroseg.imaging.formats import NIFTI, companion, image_stem, read_any
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.nifti import Form
from uteroseg.imaging.study import ADC_EMPTY, ADC_LEFT_OUT, DERIVED, DwiStudy

_IMAGE = re.compile(r"(.+?)\.(nii\.gz|nii|mha|mhd|nrrd)$", re.IGNORECASE)
_BVAL = re.compile(rf"(.+)\.({'|'.join(BVAL_ENDINGS)})", re.IGNORECASE)
_PART = re.compile(r"(?:(.+)_)?(adc|hbv|dwi|t2w)", re.IGNORECASE)
_HIGH = ("hbv", "dwi")
"""What an image of high b is called, the surer name first."""
_IMAGE_ENDINGS = {".nii", ".gz", ".mha", ".mhd", ".nrrd", ".nhdr"}
_NO_DICOM = _IMAGE_ENDINGS | {
    *(".raw", ".zraw", ".bval", ".bvals", ".bvec", ".bvecs", ".json", ".csv", ".tsv", ".txt", ".md"),
    *(".png", ".jpg", ".pdf", ".xlsx"),
}
"""Endings of files among which no scanner file is looked for where there are images."""
_NOT_IMAGES = ("derivatives", "sourcedata")
"""Folders of BIDS that hold something else."""
_B_KEYS = ("diffusionbvalue", "diffusionbvalues", "bvalue", "bvalues", "bval", "bvals")
_UNIT_KEYS = ("units", "unit", "rescaletype")


@dataclass(frozen=True)
class ImageStudy:
    """The files of one diffusion study.

    Parameters
    ----------
    name : str
        Path of its image below the source, without ending; in letters that can be printed.
    images : tuple of Path
        Its image; where several have its name it is refused when it is read.
    maps : tuple of Path
        The ADC map beside it, likewise.
    is_pair : bool
        Whether there is nothing but the map and one image of high b.
    t2 : Path or None
        The T2 image of the same name.
    left_out : tuple of str
        Images of the same name that are not taken.
    """

    name: str
    images: tuple[Path, ...]
    maps: tuple[Path, ...] = ()
    is_pair: bool = False
    t2: Path | None = None
    left_out: tuple[str, ...] = ()

    @property
    def image(self) -> Path:
        """The (first) image."""
        return self.images[0]

    @property
    def paths(self) -> tuple[Path, ...]:
        """What a person may mean by it: its files with and without ending, and what they have in common."""
        files = (*self.images, *(self.maps if self.is_pair else ()))
        stems = [file.with_name(image_stem(file.name)) for file in files]
        common = [stem.with_name(_prefix(stem.name) or stem.name) for stem in stems if self.is_pair]
        return (*files, *stems, *common)


def find_images(source: Path) -> list[ImageStudy]:
    """Find the diffusion studies among the image files below a folder, by their names.

    A NIfTI image with a ``.bval`` of several b-values is one; so is ``[<name>_]adc`` with ``[<name>_]hbv`` or
    ``[<name>_]dwi`` (NIfTI, MetaImage, NRRD). Links are followed; an image that several lead to counts once.
    """
    folders = dict.fromkeys(file.parent for file in files_below(source))
    found = [
        one
        for folder in folders
        if not any(part.startswith(".") or part in _NOT_IMAGES for part in folder.relative_to(source).parts)
        for one in _in_folder(folder, source)
    ]
    kept: dict[str, ImageStudy] = {}
    for one in sorted(found, key=lambda one: one.image.is_symlink()):
        kept.setdefault(os.path.realpath(one.image), one)
    return sorted(kept.values(), key=lambda one: companion(one.image, "bval"))


def holds_only_images(folder: Path) -> bool:
    """Whether a folder holds image files, and nothing that a scanner file could be."""
    found = False
    for path in files_below(folder):
        ending = path.suffix.lower()
        if ending not in _NO_DICOM:
            return False
        found = found or ending in _IMAGE_ENDINGS
    return found


def images_left_out(source: Path, studies: Sequence[ImageStudy], masks: Sequence[Path]) -> list[str]:
    """What is to be said of images below a folder that are in no study: they may lack their ``.bval``."""
    used = {os.path.realpath(path) for path in masks}
    used |= {os.path.realpath(path) for one in studies for path in (*one.images, *one.maps, one.t2) if path}
    told = {name for one in studies for name in one.left_out}
    spare = [
        printable(file.relative_to(source).as_posix())
        for file in files_below(source)
        if _IMAGE.fullmatch(file.name) and file.name not in told and os.path.realpath(file) not in used
        if not any(part.startswith(".") or part in _NOT_IMAGES for part in file.relative_to(source).parts)
    ]
    if not spare:
        return []
    some = f"{', '.join(spare[:3])}{' …' if len(spare) > 3 else ''}"
    return [f"Images that are not used, since no .bval or ADC map of their name lies beside them: {some}."]


def study_at(path: Path) -> ImageStudy:
    """The study that one image belongs to: by itself with its ``.bval``, or as a part of a pair."""
    folder, stem = path.parent, image_stem(path.name)
    beside = _in_folder(folder, folder, lambda name: _is_beside(name, stem))
    found = next((one for one in beside if path in (*one.images, *one.maps)), None)
    if found is None or (path in found.images and not found.is_pair):
        return ImageStudy(printable(stem), (path,))
    return found


def _is_beside(name: str, stem: str) -> bool:
    """Whether a file can be of the same study as the image that was named: not another image of high b."""
    match = _IMAGE.fullmatch(name) or _BVAL.fullmatch(name)
    if match is None or _prefix(match[1]) != _prefix(stem):
        return False
    wanted, part = _PART.fullmatch(stem), _PART.fullmatch(match[1])
    is_high = [one is not None and one[2].lower() in _HIGH for one in (wanted, part)]
    return match[1] == stem or not all(is_high)


def load_images(found: ImageStudy, b_values: Sequence[float] = (), *, form: Form | None = None) -> DwiStudy:
    """Read a study.

    Parameters
    ----------
    found : ImageStudy
    b_values : sequence of float
        One number, s/mm²: that of the high image of a pair, where no file beside it says it.
    form : {"qform", "sform"}, optional
        Of NIfTI, as for `uteroseg.imaging.nifti.read_image`.

    Returns
    -------
    DwiStudy
        Its acquisition holds what its sidecar says, as it stands there.

    Raises
    ------
    UserError
        If a file is missing, broken or does not fit the others.
    """
    image = _only(found.images, "images")
    if found.is_pair:
        return _load_pair(image, _only(found.maps, "ADC maps"), b_values, form)
    if not _is_nifti(image):
        raise UserError(
            f"{image} is no NIfTI image, and {bval_of(image).name} beside it lists several b-values.",
            expected="several b-values in one NIfTI image (.nii, .nii.gz).",
            fix="convert the image to NIfTI, with a volume for each b-value.",
        )
    study = read_study(image, form=form)
    kept = {name: value for name, value in study.acquisition.items() if name not in (DERIVED, ADC_LEFT_OUT)}
    adc, left_out = _map_beside(found.maps, study.geometry, form)
    said = {**marks_of(study.acquisition, study.b_values), **({ADC_LEFT_OUT: left_out} if left_out else {})}
    return replace(study, scanner_adc=adc, acquisition={**kept, **said})


def _in_folder(
    folder: Path, source: Path, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[ImageStudy]:
    """The studies of one folder."""
    images: dict[str, list[Path]] = defaultdict(list)
    bvals: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):  # with links: many images can share a .bval
        if file.name.startswith(".") or not wanted(file.name) or not file.is_file():
            continue
        if match := _IMAGE.fullmatch(file.name):
            images[match[1]].append(file)
        elif match := _BVAL.fullmatch(file.name):
            bvals[match[1]] = file
    parts: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))  # prefix → part → files
    for stem, files in images.items():
        if match := _PART.fullmatch(stem):
            parts[match[1] or ""][match[2].lower()] += files
        elif stem in bvals:
            parts[stem]["dwi"] += files  # as dcm2niix calls it, with its map <name>_ADC
    several = {stem for stem, bval in bvals.items() if _lists_several(bval)}
    place, spent = folder.relative_to(source), set()
    for prefix, part in parts.items():
        high = [files for name in _HIGH if (files := part[name])]
        if not part["adc"] or not high:
            continue
        spent |= {image_stem(file.name) for file in part["adc"]}
        if not several & {image_stem(file.name) for files in high for file in files}:
            spent |= {image_stem(file.name) for files in high for file in files}
            yield ImageStudy(
                printable((place / (prefix or image_stem(high[0][0].name))).as_posix()),
                tuple(high[0]),
                tuple(part["adc"]),
                is_pair=True,
                t2=next(iter(part["t2w"]), None),
                left_out=tuple(printable(file.name) for files in high[1:] for file in files),
            )
    for stem in sorted(bvals.keys() - spent):
        part = parts[_prefix(stem)]
        yield ImageStudy(
            printable((place / stem).as_posix()),
            tuple(filter(_is_nifti, images[stem])) or tuple(images[stem]) or (folder / f"{stem}.nii.gz",),
            tuple(part["adc"]),
            t2=next(iter(part["t2w"]), None),
        )


def _lists_several(bval: Path) -> bool:
    """Whether a ``.bval`` holds several b-values, or something that reading it will name."""
    try:
        return len(read_b_values(bval)) > 1
    except (UserError, OSError):
        return True


def _load_pair(image: Path, adc_map: Path, b_values: Sequence[float], form: Form | None) -> DwiStudy:
    what = f"{image} and {adc_map.name}"
    sidecar = _sidecar(image)
    b_value, source = _b_value(image, adc_map, sidecar, b_values)
    signal, geometry = _volume(image, form)
    adc, adc_geometry = _volume(adc_map, form)
    adc_geometry.require_same(geometry, what=what, fix="export the two of one acquisition, on one grid.")
    return study_of_map(
        signal,
        b_value,
        _in_our_unit(adc, adc_map),
        geometry,
        {**sidecar, "b_value_source": source},
        what=what,
    )


def _b_value(
    image: Path, adc_map: Path, sidecar: Mapping[str, Any], b_values: Sequence[float]
) -> tuple[float, str]:
    """The b-value of the high image, and where it was found."""
    listed, source = list(b_values), "user"
    if (bval := bval_of(image)).is_file():
        listed, source = read_b_values(bval), ".bval file"
    elif (said := _value_of(sidecar, _B_KEYS)) is not None:
        listed, source = _numbers(said), "JSON sidecar"
    if len(listed) == 1 and np.isfinite(listed[0]):
        return float(listed[0]), source
    found = (
        f"has the b-values {', '.join(f'{b:g}' for b in listed)} ({source})" if listed else "has no b-value"
    )
    raise UserError(
        f"{image}, which lies beside the ADC map {adc_map.name}, {found}.",
        expected="one b-value (s/mm²), in a .bval or .json file of the same name, or as `b_values`.",
        fix="set `b_values` to that of the image, such as 1400.",
    )


def _numbers(said: object) -> list[float]:
    try:
        return [float(str(value)) for value in (said if isinstance(said, list) else [said])]
    except (TypeError, ValueError):
        return []


def _map_beside(maps: tuple[Path, ...], grid: Geometry, form: Form | None) -> tuple[Array | None, str]:
    """The ADC map beside images of several b-values, or why it is left out."""
    if not maps:
        return None, ""
    if len(maps) > 1:
        return None, "there are several"
    try:
        adc, geometry = _volume(maps[0], form)
    except UserError:
        return None, ADC_UNREADABLE
    if geometry.difference(grid):
        return None, ADC_ELSEWHERE
    if not (adc > 0).any():
        return None, ADC_EMPTY
    try:
        return _in_our_unit(adc, maps[0]), ""
    except UserError:
        return None, "its unit cannot be told"


def _in_our_unit(adc: Array, path: Path) -> Array:
    stated = _value_of(_sidecar(path), _UNIT_KEYS)
    return adc * np.float32(adc_factor(adc, stated=str(stated or ""), what=str(path)))


def _volume(path: Path, form: Form | None) -> tuple[Array, Geometry]:
    """A 3-D image, float32."""
    image, geometry = read_any(path, form)
    if image.ndim != 3:
        raise UserError(
            f"{path} holds {len(image)} images.",
            expected="one, or a .bval file beside it with a b-value for each.",
            fix="write the .bval file from the scanner's protocol, or split the image.",
        )
    return image, geometry


def _sidecar(image: Path) -> Mapping[str, Any]:
    path = companion(image, "json")
    return read_json(path) if path.is_file() else {}


def _value_of(sidecar: Mapping[str, Any], keys: Sequence[str]) -> object:
    plain = {re.sub(r"[^a-z]", "", name.lower()): value for name, value in sidecar.items()}
    return next((plain[key] for key in keys if plain.get(key) not in (None, "", [])), None)


def _only(files: tuple[Path, ...], what: str) -> Path:
    if len(files) == 1:
        return files[0]
    raise UserError(
        f"There are several {what} of one name: {files[0]} and {', '.join(file.name for file in files[1:])}.",
        expected="one.",
        fix="take the others out of the folder, or give them another name.",
    )


def _prefix(stem: str) -> str:
    """What the files of one study have in common."""
    match = _PART.fullmatch(stem)
    return (match[1] or "") if match else stem


def _is_nifti(file: Path) -> bool:
    return file.name.lower().endswith(NIFTI)
