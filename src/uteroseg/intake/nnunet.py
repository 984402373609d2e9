"""Find diffusion studies in a raw dataset of nnU-Net, or of the Medical Segmentation Decathlon.

Both have a ``dataset.json`` beside ``imagesTr``, ``labelsTr`` and perhaps ``imagesTs``. nnU-Net has a file
for each channel (``<case>_0000.nii.gz``), the Decathlon one image with a volume for each. The channels are
named in ``channel_names`` or ``modality``: ``b0``, ``DWI_b1000``.

References
----------
nnU-Net v2, documentation/dataset_format.md, region_based_training.md, ignore_label.md; v1, documentation/
dataset_conversion.md. Antonelli M et al., The Medical Segmentation Decathlon, Nature Communications
2022;13:4128.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.annotations.placement import PlacedAnnotation
from uteroseg.annotations.regions import Choice
from uteroseg.annotations.table import Annotation
from uteroseg.dataset.layout import CaseId
from uteroseg.errors import UserError, printable
from uteroseg.imaging.derived import LEAST_B, adc_factor, study_of_map
from uteroseg.imaging.formats import METAIMAGE, NIFTI, NRRD, image_stem, read_any
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.nifti import Form
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.intake.study import Incoming

DESCRIPTION = "dataset.json"
_SPLITS = {"Tr": "train", "Ts": "test"}
_ENDINGS = (*NIFTI, *METAIMAGE, *NRRD)
_CHANNEL = re.compile(r"(.+)_(\d{4})")
_B_VALUE = re.compile(
    r"(?<![a-z0-9])(?:dwi|diff|trace)?b[ _-]?(?:val(?:ue)?)?[ _=:-]*"
    r"(\d+(?:\.\d{1,2})?)"  # 1.000 could be a thousand
    r"(?=\W*s/mm|(?![0-9a-z.]|(?:[\W_]|to|and|bis|und|vs|minus)*\d+(?![0-9a-z])))",  # b50-400-800 is several
    re.IGNORECASE,
)
_CALCULATED = re.compile(
    r"calc|comput|synth|extrapol|interpol|predict|simul|fitted|berech|berek|(?<![a-z])[cs](?:yn)?dwi(?![a-z])",
    re.IGNORECASE,
)
_NO_SIGNAL = re.compile(
    r"(?<![a-z])[ed]?adc|apparent|z-?score|(?<!no)norm|standardi"
    r"|(?<![a-z])(?:log|ln|exp|ratio|fa|md|mk|ivim|kurtosis|mask|phase|noise|seg|label|snr)(?![a-z])",
    re.IGNORECASE,
)
"""Of maps and of images that are no signal any more, whose names tell b-values too: ``ADC_b0-b800``."""
_ADC = re.compile(r"(?<![a-z])d?adc(?:map)?(?![a-z])|apparent diffusion coefficient", re.IGNORECASE)
_ROUNDING = 1e-3
_FORMS: tuple[Form | None, ...] = (None, "sform", "qform")  # where it lies does not matter to its dimensions


@dataclass(frozen=True)
class _About:
    """What ``dataset.json`` says.

    Parameters
    ----------
    file : Path
    origin : str
        Name of the source: patients of the same name in another source are others.
    kind : {"nnunet", "decathlon"}
    form : {"qform", "sform"}, optional
        Of NIfTI images, as for `uteroseg.imaging.nifti.read_image`.
    channels : tuple of str
    b_values : mapping of int to float
        The channels that are measured diffusion images.
    adc : int or None
        The channel of the ADC map, where there is nothing else but one image of high b.
    tumour, labels : frozenset of int
        The values that mean tumour; all that a label map may hold.
    """

    file: Path
    origin: str
    kind: str
    form: Form | None
    channels: tuple[str, ...]
    b_values: Mapping[int, float]
    adc: int | None
    tumour: frozenset[int]
    labels: frozenset[int]

    @property
    def left_out(self) -> tuple[str, ...]:
        """The channels that are not taken."""
        return tuple(
            f"{name} (calculated)" if _CALCULATED.search(name) else name
            for index, name in enumerate(self.channels)
            if index not in self.b_values and index != self.adc
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class NnunetStudy(Incoming):
    """A case of nnU-Net or the Decathlon.

    Parameters
    ----------
    files : mapping of int to Path
        Images by the number of their channel; none of a label map alone.
    label : Path, optional
        Its label map.
    about : _About
    """

    files: Mapping[int, Path]
    label: Path | None
    about: _About

    @property
    def annotation(self) -> Annotation | None:
        """Its label map."""
        return Annotation(mask=self.label, choice=Choice()) if self.label else None

    def load(self) -> DwiStudy:
        """Read its images."""
        if not self.files:
            raise UserError(
                f"{self.label} belongs to no image.",
                expected="images of its name.",
                fix="add the images, or take the label map away.",
            )
        about = self.about
        (number, first), *others = sorted(self.files.items())
        image, geometry = read_any(first, about.form)
        images: dict[int, Array] = {number: image}
        if image.ndim == 4 and not others:
            images = dict(enumerate(image))
        for number, path in others:
            images[number], grid = read_any(path, about.form)
            grid.require_same(geometry, what=f"{first.name} and {path.name}", fix="resample one of them.")
        wanted = dict(enumerate(about.channels))
        if images.keys() != wanted.keys() or any(image.ndim != 3 for image in images.values()):
            missing = [f"_{index:04d} ({name})" for index, name in wanted.items() if index not in images]
            raise UserError(
                f"{first}: {len(images)} images for the {len(wanted)} channels of {about.file}"
                f"{', without ' if missing else ''}{', '.join(missing)}.",
                expected=f"one 3-D image for each of {', '.join(about.channels)}.",
                fix="add the missing images, or correct dataset.json.",
            )
        acquisition = {"b_value_source": "channel names in dataset.json"}
        if about.adc is not None:
            ((number, b_value),) = about.b_values.items()
            adc, what = images[about.adc], f"{first} ({about.channels[about.adc]})"
            adc = adc * np.float32(adc_factor(adc, stated=about.channels[about.adc], what=what))
            return study_of_map(images[number], b_value, adc, geometry, acquisition, what=str(first))
        order = sorted(about.b_values, key=lambda index: about.b_values[index])
        return DwiStudy(
            np.stack([images[index] for index in order]),
            tuple(about.b_values[index] for index in order),
            geometry,
            acquisition=acquisition,
        )

    def placed(self, study: DwiStudy) -> PlacedAnnotation | None:
        """The tumour of its label map; none there says that the case has none."""
        if self.label is None:
            return None
        about = self.about
        image, geometry = read_any(self.label, about.form)
        what = f"{self.label} and its images"
        geometry.require_same(study.geometry, what=what, fix="resample the label map.")
        whole = np.rint(image)  # a scale factor leaves a little beside whole numbers
        values = np.unique(np.where(np.abs(image - whole) < _ROUNDING, whole, image))
        unknown = [f"{value:.6g}" for value in values if value not in about.labels]
        if image.ndim != 3 or unknown:
            raise UserError(
                f"{self.label} holds {', '.join(unknown[:5]) or f'{len(image)} volumes'}.",
                expected=f"one volume with labels of {about.file}: "
                f"{', '.join(map(str, sorted(about.labels)))}.",
                fix="correct the label map; voxels to ignore have to be decided.",
            )
        mask = Mask(np.isin(whole, sorted(about.tumour)), study.geometry)
        notes = () if mask.data.any() else ("no tumour: its label map has none",)
        return PlacedAnnotation(mask, "DWI", drawn_ml=volume_ml(mask), outside_ml=0.0, notes=notes)


def is_nnunet(source: Path) -> bool:
    """Whether a folder is meant as a raw dataset of nnU-Net or the Decathlon, whole or not."""
    folders = (source / f"{what}{ending}" for what in ("images", "labels") for ending in _SPLITS)
    return (source / DESCRIPTION).is_file() and any(folder.is_dir() for folder in folders)


def is_decathlon(source: Path) -> bool:
    """Whether it is of the Decathlon: an image holds all channels, and nnU-Net 2's key is missing."""
    description = read_description(source)
    return "channel_names" not in description and _in_one_file(source, description)


def find_nnunet(
    source: Path, *, origin: str, label: str | None = None, form: Form | None = None
) -> list[NnunetStudy]:
    """Find the studies of a raw dataset; training cases are ``train``, test cases ``test``.

    A label map without tumour says that the case has none. A label map without images is a study that fails
    to load.

    Parameters
    ----------
    source : Path
        The folder with ``dataset.json``.
    origin, form
        As of `_About`.
    label : str, optional
        The tumour's name in ``labels``, where there are several.

    Raises
    ------
    UserError
        If ``dataset.json`` does not say which channels have which b-value or which label is the tumour, or
        there is no image.
    """
    description = read_description(source)
    file = source / DESCRIPTION
    labels = _labels(file, description)
    known = {value for name, values in labels.items() if name != "ignore" for value in values}
    tumour = labels[_tumour(file, labels, label)]
    kind = "decathlon" if is_decathlon(source) else "nnunet"
    channels = _channels(file, description)
    about = _About(file, origin, kind, form, *channels, tumour, frozenset(known | {0}))
    if not any(_files(source / f"images{ending}", description) for ending in _SPLITS):
        raise UserError(
            f"{source / 'imagesTr'} holds no image ({', '.join(_ENDINGS)}), nor does imagesTs.",
            expected="<case>_0000.nii.gz … (nnU-Net) or <case>.nii.gz (Medical Segmentation Decathlon).",
            fix="add the images, or convert them to NIfTI first.",
        )
    return [study for ending in _SPLITS for study in _studies(source, ending, description, about)]


def read_description(source: Path) -> dict[str, Any]:
    """Read ``dataset.json``, with or without a byte-order mark.

    Raises
    ------
    UserError
        If it cannot be read, is no JSON object, or a key stands twice in it.
    """
    file = source / DESCRIPTION
    try:
        values = json.loads(file.read_text("utf-8-sig"), object_pairs_hook=_each_once)
        if isinstance(values, dict):
            return values
        problem = f"it holds a {type(values).__name__}"
    except (OSError, ValueError, RecursionError) as error:
        problem = str(error)
    raise UserError(
        f"{file} cannot be read ({problem}).",
        expected='a JSON object, such as {"channel_names": {"0": "b0", "1": "b1000"}, …}.',
        fix="correct it in a text editor; no comma follows the last entry.",
    )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"the key {twice[0]} stands twice")
    return dict(pairs)


def _studies(
    source: Path, ending: str, description: Mapping[str, Any], about: _About
) -> Iterator[NnunetStudy]:
    """The studies of a split, then the label maps that have no images."""
    beside = _files(source / f"labels{ending}", description)
    listed = _listed_labels(source, description) if ending == "Tr" else {}
    spare = set(beside.values())
    for name, files in _cases(source, ending, description).items():
        names = (name, f"{name}_0000")
        labels = [paths[stem] for paths in (listed, beside) for stem in names if stem in paths]
        label = next((path for path in labels if path.is_file()), labels[0] if labels else None)
        spare -= {label}
        yield NnunetStudy(
            name=printable(f"images{ending}/{name}"),
            kind=about.kind,
            patient=f"{about.origin} {_patient(name)}",
            split=_SPLITS[ending],
            left_out=about.left_out,
            files=files,
            label=label,
            about=about,
        )
    for path in sorted(spare):
        name = printable(f"labels{ending}/{path.name}")
        patient = f"{about.origin} {path.name}"
        yield NnunetStudy(name=name, kind=about.kind, patient=patient, files={}, label=path, about=about)


def _cases(source: Path, ending: str, description: Mapping[str, Any]) -> dict[str, dict[int, Path]]:
    """The files of each case by the number of their channel."""
    in_one_file, cases = _in_one_file(source, description), dict[str, dict[int, Path]]()
    for stem, path in _files(source / f"images{ending}", description).items():
        name, number = stem, 0
        if match := _CHANNEL.fullmatch(stem):
            if not in_one_file:
                name, number = match[1], int(match[2])
            elif "channel_names" in description:
                name = stem.removesuffix("_0000")
        cases.setdefault(name, {})[number] = path
    return cases


def _in_one_file(source: Path, description: Mapping[str, Any]) -> bool:
    """Whether an image holds all channels: the first that can be read tells."""
    for ending in _SPLITS:
        for path in _files(source / f"images{ending}", description).values():
            for form in _FORMS:
                with suppress(UserError):
                    return read_any(path, form)[0].ndim == 4
    return False


def _files(folder: Path, description: Mapping[str, Any]) -> dict[str, Path]:
    """The images of a folder by name; of one in two formats, that of ``file_ending``."""
    ending = str(description.get("file_ending") or "-")
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("[!.]*"), key=lambda path: (path.name.endswith(ending), path)):
        stem = image_stem(path.name)
        if stem == path.name or not path.is_file():
            continue
        if stem in files and not path.name.endswith(ending):
            raise UserError(
                f"{folder} holds one image twice: {files[stem].name} and {path.name}.",
                expected="one file for each image.",
                fix="take one of them away, or name the ending that counts in the key file_ending.",
            )
        files[stem] = path
    return dict(sorted(files.items()))


def _listed_labels(source: Path, description: Mapping[str, Any]) -> dict[str, Path]:
    """The label maps that version 1's list of training cases names, by the name of the image."""
    entries = description.get("training")
    pairs = [
        [str(entry.get(key) or "").replace("\\", "/") for key in ("image", "label")]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    ]
    return {image_stem(Path(image).name): source / label for image, label in pairs if image and label}


def _patient(name: str) -> str:
    """Of a case that is named as ours are, its participant; else every case is a patient."""
    try:
        return CaseId.parse(name).participant
    except UserError:
        return name


def _channels(
    file: Path, description: Mapping[str, Any]
) -> tuple[tuple[str, ...], dict[int, float], int | None]:
    """Channels, b-values and ADC map, as of `_About`."""
    named = {
        key: _in_order(description[key]) for key in ("channel_names", "modality") if description.get(key)
    }
    key, channels = next(iter(named.items()), ("channel_names", ()))
    if not channels or len(set(named.values())) > 1:
        problem = "differs from the key modality" if channels else "does not name the channels from 0 on"
        such = '"channel_names": {"0": "b0", "1": "b1000"}'
        raise _wrong(file, key, problem if named else "is missing", f"such as {such}")
    told = {
        index: float(found[0])
        for index, name in enumerate(channels)
        if len(found := _B_VALUE.findall(name)) == 1 and not _NO_SIGNAL.search(name)
    }
    b_values = {index: b for index, b in told.items() if not _CALCULATED.search(channels[index])}
    maps = [index for index, name in enumerate(channels) if _ADC.search(name)]
    pair = b_values or told
    if len(pair) == len(maps) == 1 and min(pair.values()) >= LEAST_B:
        return channels, pair, maps[0]
    if len(b_values) < 2 or len(set(b_values.values())) < len(b_values):
        listed = ", ".join(f"{b:g} ({channels[index]})" for index, b in b_values.items()) or "none"
        problem = f"names the channels {', '.join(channels)}, with these measured b-values: {listed}"
        raise _wrong(
            file,
            key,
            problem,
            f"at least two, each once (s/mm²), or one of {LEAST_B:g} or more with an ADC map",
            "name the channels by their b-values: b0, b1000",
        )
    return channels, b_values, None


def _in_order(named: object) -> tuple[str, ...]:
    """Names by their numbers, whichever of the two is the key; empty where they do not go from 0 on."""
    pairs = list(named.items()) if isinstance(named, dict) else []
    if isinstance(named, list):
        pairs = list(enumerate(named))
    if not all(_is_whole(number) for number, _ in pairs):
        pairs = [(number, name) for name, number in pairs]
    by_number = {int(number): name for number, name in pairs if _is_whole(number) and isinstance(name, str)}
    if len(by_number) < len(pairs) or sorted(by_number) != list(range(len(pairs))):
        return ()
    return tuple(by_number[number] for number in range(len(pairs)))


def _labels(file: Path, description: Mapping[str, Any]) -> dict[str, frozenset[int]]:
    """Values by name, from nnU-Net's ``{name: value or values}`` or version 1's ``{value: name}``."""
    given = description.get("labels")
    pairs = list(given.items()) if isinstance(given, dict) else []
    if all(_is_whole(key) and isinstance(value, str) for key, value in pairs):
        pairs = [(name, value) for value, name in pairs]
    values = [value if isinstance(value, list) else [value] for _, value in pairs]
    if not pairs or not all(of and all(map(_is_whole, of)) for of in values):
        raise _wrong(file, "labels", "gives no whole number for each name", _LABELS_SUCH)
    labels = {name: frozenset(map(int, of)) for (name, _), of in zip(pairs, values, strict=True)}
    single = [int(value) for _, value in pairs if not isinstance(value, list)]
    if len(labels) < len(pairs) or len(set(single)) < len(single):
        raise _wrong(
            file, "labels", "gives a name or a value twice", "each once; regions are lists of values"
        )
    if any(of != {0} and (0 in of or name.lower() == "background") for name, of in labels.items()):
        raise _wrong(file, "labels", "counts the background to a label", _LABELS_SUCH)
    return labels


def _tumour(file: Path, labels: Mapping[str, frozenset[int]], label: str | None) -> str:
    """The name of the label that is the tumour."""
    names = [name for name, values in labels.items() if values != {0} and name != "ignore"]
    if label is None and len(names) == 1:
        return names[0]
    if label not in names:
        raise _wrong(
            file,
            "labels",
            f"holds {', '.join(names) or 'the background alone'}{f', and not {label!r}' if label else ''}",
            "one that is the tumour",
            "set `label` to its name",
        )
    return str(label)


_LABELS_SUCH = 'such as "labels": {"background": 0, "tumour": 1}'


def _is_whole(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.isdecimal()
    )


def _wrong(file: Path, key: str, problem: str, expected: str, fix: str = "correct it") -> UserError:
    return UserError(f"{file}: the key {key} {problem}.", expected=f"{expected}.", fix=f"{fix}.")
