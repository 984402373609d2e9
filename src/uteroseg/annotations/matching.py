"""Which annotation belongs to which study: by a table, or by what DICOM files refer to; never by order."""

from __future__ import annotations

import filecmp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uteroseg.annotations.belonging import drawn_on, mismatch
from uteroseg.annotations.file import AnnotationFile, is_label_map, model_beside, open_if_annotation
from uteroseg.annotations.regions import Choice
from uteroseg.annotations.table import Annotation, TableRow, read_table
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.studies import FoundStudy
from uteroseg.errors import UserError
from uteroseg.files import files_below

_TABLE = "name the file in a table (CSV) with the columns study, mask and, if needed, label."


@dataclass(frozen=True, eq=False)
class Matches:
    """The annotation of each study.

    Parameters
    ----------
    by_study : mapping of FoundStudy to Annotation or UserError
        An error where it cannot be told which annotation is the study's.
    unused : tuple of UserError
        Why annotation files belong to no study, each naming its file.
    notes : tuple of str
        What is to be said of the table.
    """

    by_study: Mapping[FoundStudy, Annotation | UserError] = field(default_factory=dict)
    unused: tuple[UserError, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, found: FoundStudy) -> Annotation | None:
        """The annotation of a study, or None; raises UserError where several could be."""
        match = self.by_study.get(found)
        if isinstance(match, UserError):
            raise match
        return match


def match(path: Path, studies: Sequence[FoundStudy], source: Path, choice: Choice) -> Matches:
    """Match annotations with studies.

    Parameters
    ----------
    path : Path
        A table ``study,mask,label``, or a DICOM SEG or RTSTRUCT, or a folder of them. What a model drew
        counts only where it is named, in a table or as the single file.
    studies : sequence of FoundStudy
    source : Path
        The folder that the studies were found below.
    choice : Choice
        Which region is the tumour.

    Raises
    ------
    UserError
        If the path or the table is wrong.
    """
    if is_label_map(path):
        raise _unnamed(path, "")
    single = None if path.is_dir() else open_if_annotation(path)
    if single or path.is_dir():
        return _by_reference(path, single, studies, choice)
    table = read_table(path, choice)
    rows = table.rows
    fitting = {found: [row for row in rows if row.belongs_to(found, source)] for found in studies}
    known = {row.study for several in fitting.values() for row in several}
    if unknown := [row.study for row in rows if row.study not in known]:
        raise UserError(
            f"The annotation table names studies that are not below {source}: {', '.join(unknown[:5])}.",
            expected="a StudyInstanceUID or folder of a diffusion study that was found.",
            fix="correct the column 'study'; a dry run lists what was found.",
        )
    by_study = {found: _only(several, found) for found, several in fitting.items() if several}
    return Matches(by_study, notes=table.notes)


def _only(rows: Sequence[TableRow], found: FoundStudy) -> TableRow | UserError:
    if len(rows) == 1:
        return rows[0]
    return UserError(
        f"{len(rows)} rows of the annotation table name the study in {found.folder}, in lines "
        f"{', '.join(str(row.line) for row in rows)}.",
        expected="one mask for each study.",
        fix="keep one of them, or name the studies by their StudyInstanceUID.",
    )


def _by_reference(
    path: Path, single: AnnotationFile | None, studies: Sequence[FoundStudy], choice: Choice
) -> Matches:
    files_of: dict[FoundStudy, list[AnnotationFile]] = {}
    unused: list[UserError] = []
    for one in files_below(path):
        try:
            if is_label_map(one):
                raise _unnamed(one, model_beside(one))
            file = single or open_if_annotation(one)
            reference = file.reference if file else None
            if file is None or reference is None:
                continue
            if not single and (drawn_by := file.drawn_by(choice)):
                raise _unnamed(one, drawn_by)
            reasons = {found: mismatch(reference, found, one) for found in studies}
            if all(reasons.values()):  # the reason that says most: of the patient's own studies
                errors = [reason for reason in reasons.values() if reason]
                raise min(errors, key=lambda error: "another patient" in error.found)
            for found in [found for found, reason in reasons.items() if reason is None]:
                files = files_of.setdefault(found, [])
                if not any(
                    filecmp.cmp(one, other.path, shallow=False) for other in files
                ):  # a copy counts once
                    files.append(file)
        except UserError as error:
            unused.append(error)
    matched = {found: _nearest(files, found, choice, single is not None) for found, files in files_of.items()}
    return Matches(matched, tuple(unused))


def _nearest(
    files: Sequence[AnnotationFile], found: FoundStudy, choice: Choice, named: bool
) -> Annotation | UserError:
    """The annotation with the region asked for that was drawn nearest to the diffusion images."""
    fitting = [file for file in files if any(choice.fits(region) for region in file.regions)]
    if not fitting:
        return UserError(
            f"No annotation of the study in {found.folder} holds a region of {choice}, they hold: "
            f"{_listed(files)}.",
            expected="one region that is the tumour.",
            fix="correct `roi` or `roi_colour`.",
        )
    ranks = [_rank(file, found) for file in fitting]
    nearest = [file for file, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
    if len(nearest) > 1:
        return UserError(
            f"{len(nearest)} annotations could be that of the study in {found.folder}: {_listed(nearest)}.",
            expected="one annotation for each study.",
            fix=f"name the region with `roi` or `roi_colour`, or {_TABLE}",
        )
    return Annotation(mask=nearest[0].path, choice=choice, named=named, opened=nearest[0])


def _rank(file: AnnotationFile, found: FoundStudy) -> int:
    """How near the images that it was drawn on are to the study's: DWI, T2, other, unknown."""
    reference = file.reference
    series = drawn_on(found, reference.instances, reference.series) if reference else None
    return 3 if series is None else 0 if series in found.used else 1 if series.kind is SeriesKind.T2 else 2


def _listed(files: Sequence[AnnotationFile]) -> str:
    return ", ".join(f"{file.path} ({'; '.join(map(str, file.regions))})" for file in files)


def _unnamed(path: Path, drawn_by: str) -> UserError:
    """Why a file that nobody named is no annotation: it cannot be told whose it is, or a model drew it."""
    if drawn_by:
        return UserError(
            f"{path} was drawn by {drawn_by}, and what a model drew is no truth by lying in a folder.",
            expected="annotations that people drew, or a table that names the file.",
            fix=f"if it is to count, {_TABLE}",
        )
    return UserError(
        f"{path} does not say which study it belongs to.",
        expected="a DICOM Segmentation or RT Structure Set, or a table that names the file.",
        fix=_TABLE,
    )
