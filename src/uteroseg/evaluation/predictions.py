"""Predicted masks, whoever made them: which file is whose, and what belongs to no case."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.nifti import read_image, read_mask
from uteroseg.imaging.study import Mask

_NIFTI = (".nii.gz", ".nii")
_BIDS = "_label-tumour_mask"
_FORMS = "<case>/mask.nii.gz, <case>.nii.gz, <case>.dcm (DICOM SEG) or <case>_label-tumour_mask.nii.gz"


@dataclass(frozen=True)
class Predictions:
    """The masks in a folder.

    Parameters
    ----------
    folder : Path
    files : mapping of str to list of Path
        Name of a case → its masks; more than one is a mistake.
    label : int, optional
        The tumour's value in the masks, or its segment number; by default they are binary.
    """

    folder: Path
    files: Mapping[str, list[Path]]
    label: int | None = None

    @classmethod
    def find(cls, folder: Path, *, label: int | None = None) -> Predictions:
        """Find the masks that uteroseg, nnU-Net or another program left in a folder.

        Raises
        ------
        UserError
            If there is none.
        """
        files: dict[str, list[Path]] = defaultdict(list)
        for name, path in _masks(folder):
            files[name].append(path)
        if not files:
            raise UserError(
                f"{folder} holds no masks.",
                expected=f"a mask for each case: {_FORMS}.",
                fix="name the folder with the predictions.",
            )
        return cls(folder, dict(files), label)

    def file(self, case: CaseId) -> Path:
        """A case's mask file.

        Raises
        ------
        UserError
            If there is none, or several.
        """
        found = self.files.get(str(case), [])
        if len(found) == 1:
            return found[0]
        raise UserError(
            f"{self.folder} has {'several predictions' if found else 'no prediction'} for {case}"
            f"{': ' if found else ''}{', '.join(map(str, found))}.",
            expected=f"one mask for each case: {_FORMS}.",
            fix="remove all but one." if found else "predict this case, or evaluate another split.",
        )

    def expected_dsc(self, case: CaseId) -> float | None:
        """The DSC that the model expects, where ``<case>/result.json`` says it.

        Raises
        ------
        UserError
            If that file cannot be read, or says something else.
        """
        result = self.file(case).with_name("result.json")
        if result.parent.name != str(case) or not result.is_file():
            return None
        try:
            stated = json.loads(result.read_text("utf-8")).get("expected_dsc")
            if stated is not None and not 0 <= float(stated) <= 1:
                raise ValueError(f"an expected DSC of {stated}")
            return None if stated is None else float(stated)
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{result} cannot be read ({error}).",
                expected="the file as 'uteroseg predict' wrote it.",
                fix="predict this case again.",
            ) from error

    def mask(self, case: CaseId, grid: Geometry) -> Mask:
        """A case's mask.

        Parameters
        ----------
        case : CaseId
        grid : Geometry
            The study's: of a segmentation without frames, or whose frames do not tell their distance.

        Raises
        ------
        UserError
            If there is none or several, it cannot be read, or it holds other values than its label.
        """
        path = self.file(case)
        if path.suffix == ".dcm":
            from uteroseg.annotations.file import open_annotation
            from uteroseg.annotations.regions import Choice, choose

            file = open_annotation(path)
            region = choose(file.regions, Choice(number=self.label), path)
            return file.draw(region, lambda instances, points: grid) or Mask(np.zeros(grid.shape, bool), grid)
        if self.label is None:
            return _binary(path)
        mask = read_mask(path, self.label)
        if not mask.data.any() and (others := _values(path) - {0}) and not self._label_occurs:
            raise UserError(
                f"{path} holds the values {_listed(others)}; no mask of the folder holds {self.label}.",
                expected="the value of the tumour.",
                fix="correct `label`.",
            )
        return mask

    @cached_property
    def _label_occurs(self) -> bool:
        """Whether any NIfTI holds the label: one without it can be a missed tumour, all cannot."""
        for path in (path for files in self.files.values() for path in files if path.suffix != ".dcm"):
            with suppress(UserError):  # a broken file is told of as its case's
                if self.label in _values(path):
                    return True
        return False


def _masks(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names of cases and files; where ``predict`` wrote a NIfTI and a SEG, the NIfTI stands for both."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith("."):  # what a killed program left
            continue
        if path.is_dir():
            inside = [path / name for name in ("mask.nii.gz", "seg.dcm")]
            if found := next((file for file in inside if file.is_file()), None):
                yield path.name, found
        elif ending := next((e for e in (*_NIFTI, ".dcm") if path.name.endswith(e)), None):
            yield path.name.removesuffix(ending).removesuffix(_BIDS), path
    for path in sorted(folder.glob(f"sub-*/**/*{_BIDS}.nii.gz")):
        yield path.name.removesuffix(f"{_BIDS}.nii.gz"), path


def _values(path: Path) -> set[float]:
    return set(np.unique(read_image(path)[0]).tolist())


def _listed(values: set[float]) -> str:
    return f"{', '.join(f'{value:g}' for value in sorted(values)[:5])}{' …' if len(values) > 5 else ''}"


def _binary(path: Path) -> Mask:
    if unknown := _values(path) - {0, 1}:
        raise UserError(
            f"{path} holds the values {_listed(unknown)}.",
            expected="a binary mask: 0 and 1.",
            fix="say with `label` which value is the tumour; a probability map must become a mask first.",
        )
    return read_mask(path)
