"""Which annotation belongs to which study: by a table, or by what DICOM files refer to; never by order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uteroseg.annotations.belonging import drawn_on, why_not
from uteroseg.annotations.file import annotation_header, is_dicom
from uteroseg.annotations.label_map import is_label_map
from uteroseg.annotations.reference import Reference
from uteroseg.annotations.regions import Choice, Region
from uteroseg.annotations.table import Annotation, Row, annotation_of, read_annotations
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import FoundStudy
from uteroseg.errors import UserError


@dataclass(frozen=True, eq=False)
class Matches:
    """The annotation of each study.

    Parameters
    ----------
    by_study : mapping of FoundStudy to Annotation or UserError
        An error where it cannot be told which annotation is the study's.
    unused : tuple of UserError
        Why annotation files belong to no study, each naming its file.
    """

    by_study: Mapping[FoundStudy, Annotation | UserError]
    unused: tuple[UserError, ...] = ()

    def of(self, found: FoundStudy) -> Annotation | None:
        """The annotation of a study, or None; raises UserError where several could be."""
        match = self.by_study.get(found)
        if isinstance(match, UserError):
            raise match
        return match


@dataclass(frozen=True)
class _Candidate:
    """An annotation object, what it belongs to and what it holds."""

    path: Path
    reference: Reference
    regions: Sequence[Region]

    def rank(self, found: FoundStudy) -> int:
        """How near the images that it was drawn on are to the study's: DWI, T2, other, unknown."""
        series = drawn_on(found, self.reference.instances, self.reference.series)
        if series is None:
            return 3
        return 0 if series in found.used else 1 if series.kind is SeriesKind.T2 else 2

    def __str__(self) -> str:
        return f"{self.path} ({'; '.join(map(str, self.regions)) or 'empty'})"


def match(path: Path, studies: Sequence[FoundStudy], source: Path, choice: Choice) -> Matches:
    """Match annotations with studies.

    Parameters
    ----------
    path : Path
        A table ``study,mask,label``, or a DICOM SEG or RTSTRUCT, or a folder of them.
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
    if path.is_dir() or (path.is_file() and is_dicom(path)):
        return _by_reference(path, studies, source, choice)
    if is_label_map(path):
        raise _without_reference(path)
    rows = read_annotations(path, choice)
    _require_known_studies(rows, studies, source)
    return Matches({found: match for found in studies if (match := _from_table(found, rows, source))})


def _from_table(found: FoundStudy, rows: Sequence[Row], source: Path) -> Annotation | UserError | None:
    try:
        return annotation_of(found, rows, source)
    except UserError as error:
        return error


def _by_reference(path: Path, studies: Sequence[FoundStudy], source: Path, choice: Choice) -> Matches:
    candidates: list[_Candidate] = []
    unused: list[UserError] = []
    for file in _files(path, source, unused):
        try:
            candidates.append(_Candidate(file, *annotation_header(file)))
        except UserError as error:
            unused.append(error)
    found_for: dict[FoundStudy, list[_Candidate]] = {}
    for candidate in candidates:
        reasons = {found: why_not(candidate.reference, found, candidate.path) for found in studies}
        for found, reason in reasons.items():
            if reason is None:
                found_for.setdefault(found, []).append(candidate)
        if all(reasons.values()):
            unused.append(_nearest(reasons))
    return Matches({f: _the_one(several, f, choice) for f, several in found_for.items()}, tuple(unused))


def _files(path: Path, source: Path, unused: list[UserError]) -> Iterator[Path]:
    """Annotation objects below a folder; those that nobody can match are added to ``unused``."""
    scan = scan_folder(path)
    if path.resolve() != source.resolve():  # damaged images of the source are told with their study
        unused += (
            UserError(
                f"{file.path} cannot be read: {file.reason}.",
                expected="whole DICOM files.",
                fix="copy or export the file again.",
            )
            for file in scan.skipped
        )
    if path.is_dir():
        unused += (_without_reference(file) for file in sorted(path.rglob("*")) if is_label_map(file))
    for series in scan.series:
        if series.kind in (SeriesKind.SEGMENTATION, SeriesKind.RTSTRUCT):
            yield from series.files


def _nearest(reasons: Mapping[FoundStudy, UserError | None]) -> UserError:
    """Of why a file belongs to none of the studies, the reason that says most: of the patient's own."""
    errors = [error for error in reasons.values() if error]
    return min(errors, key=lambda error: "another patient" in error.found)


def _the_one(candidates: Sequence[_Candidate], found: FoundStudy, choice: Choice) -> Annotation | UserError:
    """The annotation with the region asked for that was drawn nearest to the diffusion images."""
    fitting = [c for c in candidates if any(choice.fits(region) for region in c.regions)]
    if not fitting:
        return UserError(
            f"No annotation of the study in {found.folder} holds a region of {choice}, they hold: "
            f"{_listed(candidates)}.",
            expected="one region that is the tumour.",
            fix="correct --roi or --roi-colour.",
        )
    ranks = [candidate.rank(found) for candidate in fitting]
    nearest = [c for c, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
    if len(nearest) > 1:
        return UserError(
            f"{len(nearest)} annotations could be that of the study in {found.folder}: {_listed(nearest)}.",
            expected="one annotation for each study.",
            fix="name the region with --roi or --roi-colour, or the file in a table 'study,mask,label'.",
        )
    return Annotation(nearest[0].path, choice)


def _listed(candidates: Sequence[_Candidate]) -> str:
    return ", ".join(map(str, candidates))


def _without_reference(path: Path) -> UserError:
    return UserError(
        f"{path} does not say which study it belongs to.",
        expected="a DICOM Segmentation or RT Structure Set, or a table that names the file.",
        fix="write a table (CSV) 'study,mask,label' and name it with --annotations.",
    )


def _require_known_studies(rows: Sequence[Row], studies: Sequence[FoundStudy], source: Path) -> None:
    unknown = [row.study for row in rows if not any(row.belongs_to(found, source) for found in studies)]
    if unknown:
        raise UserError(
            f"The annotation table names studies that are not below {source}: {', '.join(unknown[:5])}.",
            expected="a StudyInstanceUID or folder of a diffusion study that was found.",
            fix="correct the column 'study'; 'uteroseg ingest --dry-run' lists what was found.",
        )
