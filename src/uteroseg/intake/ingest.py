"""The one place where a study is checked and enters a dataset."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uteroseg.dataset.check.finding import refuse_errors
from uteroseg.dataset.check.images import study_problems
from uteroseg.dataset.check.masks import mask_problems
from uteroseg.dataset.identity import Pseudonyms, key_file
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import MISSING, Participant, require_cohort_name, updated
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dataset.visits import Visit
from uteroseg.errors import UserError
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.study import ADC_LEFT_OUT, DERIVED, REPETITIONS, DwiStudy
from uteroseg.intake.linkage import require_outside, write_linkage
from uteroseg.intake.outcome import Outcome
from uteroseg.intake.source import Source, open_source
from uteroseg.intake.study import Incoming, content_of

if TYPE_CHECKING:
    from uteroseg.annotations.placement import PlacedAnnotation

OnStudy = Callable[[int, int], None]
OnMask = Callable[[CaseId, DwiStudy, "PlacedAnnotation"], None]


def ingest(
    source: Path,
    root: Path,
    *,
    cohort: str | None,
    link: Path | None = None,
    replace_masks: bool = False,
    keep_t2: bool = True,
    write: bool = True,
    on_study: OnStudy = lambda done, total: None,
    on_mask: OnMask = lambda case, study, placed: None,
    on_note: Callable[[str], None] = lambda note: None,
    on_unused: Callable[[UserError], None] = lambda error: None,
    **how: Any,
) -> list[Outcome]:
    """Add every study of a source to a dataset: `open_source` (which takes ``how``), then `take_in`."""
    with open_source(source, **how) as opened:
        outcomes = take_in(
            opened,
            root,
            cohort=cohort,
            link=link,
            replace_masks=replace_masks,
            keep_t2=keep_t2,
            write=write,
            adc_b_min=how["options"].adc_b_min if how.get("options") else 0.0,
            on_study=on_study,
            on_mask=on_mask,
            on_note=on_note,
        )
        for reason in opened.unused:
            on_unused(reason)
    return outcomes


def take_in(
    source: Source,
    root: Path,
    *,
    cohort: str | None,
    link: Path | None = None,
    replace_masks: bool = False,
    keep_t2: bool = True,
    write: bool = True,
    adc_b_min: float = 0.0,
    on_study: OnStudy = lambda done, total: None,
    on_mask: OnMask = lambda case, study, placed: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> list[Outcome]:
    """Add studies to a dataset; one bad study never stops the others.

    A study that is there already is left as it is; if it has no mask and there is one now, it gets it. Where
    no study can enter a new dataset, none is made.

    Parameters
    ----------
    source : Source
    root : Path
        A dataset, or a new or empty folder.
    cohort : str
        Of the patients found; None where the source is an exported dataset, whose patients keep theirs.
    link : Path, optional
        A table outside the dataset that is to tell which case is which patient and study.
    replace_masks : bool
        Take masks that differ from the dataset's; those are kept in its history.
    keep_t2 : bool
        Keep the T2 of the examination.
    write : bool
        False for a dry run: everything is read, checked and told as it would be, and nothing is written.
    adc_b_min : float
        s/mm²; images of lower b-values are left out of the ADC fit.
    on_study : callable
        Told how many studies are done, and how many there are.
    on_mask : callable
        Given each case that got a mask, with its study and how the mask came about.
    on_note : callable
        Told what is to be said of the whole.

    Raises
    ------
    UserError
        If the folder holds something else, its key is gone, or a name is none; before anything is written.
    """
    if link:
        require_outside(link, root)
    _require_apart(source.folder, root)
    if source.original:
        from uteroseg.intake.original import copy_dataset

        return copy_dataset(source.original, root, cohort, write=write)
    require_cohort_name(cohort or "")
    new = [path for path in (root, key_file(root)) if not path.exists()]
    dataset = Dataset.open_or_create(root, write=write)
    others = dataset.cohorts()
    for note in source.notes:
        on_note(note)
    pseudonyms = Pseudonyms.for_dataset(root, is_new=not dataset.needs_key, write=write)
    intake = _Intake(
        dataset,
        str(cohort),
        pseudonyms,
        replace_masks,
        keep_t2,
        adc_b_min,
        on_mask,
        write,
        shared=_shared_masks(source.studies),
    )
    outcomes = []
    for number, found in enumerate(source.studies, start=1):
        try:
            outcome = intake.take(found)
        except UserError as error:
            outcome = Outcome(found.name, "failed", split=found.split, error=str(error))
        outcomes.append(outcome.renamed(source.told))
        on_study(number, len(source.studies))
    if others and cohort not in others and any(one.status == "added" for one in outcomes):
        listed = ", ".join(f"{name} ({number})" for name, number in others.items())
        on_note(f"The cohort {cohort!r} is new in {root}, whose cohorts were (patients): {listed}.")
    if write and root in new and not dataset.cases():
        _remove(new)
    if link and write:
        pairs = zip(outcomes, source.studies, strict=True)
        write_linkage(link, [(one.case, found) for one, found in pairs if one.case])
    return outcomes


def _require_apart(source: Path | None, root: Path) -> None:
    """Refuse a dataset in its own source, which would be read again."""
    if source and source.is_dir():
        here, there = Path(os.path.realpath(source)), Path(os.path.realpath(root))
        if here == there or here in there.parents:
            raise UserError(
                f"The dataset {root} lies in its source {source}.",
                expected="a folder of its own: the dataset would be read as a source.",
                fix="choose another folder for the dataset.",
            )


def _shared_masks(studies: Sequence[Incoming]) -> dict[Path, list[str]]:
    """Files with a mask that are named, or their copies are, for several patients; and for which studies."""
    of_size: dict[int, dict[Path, list[Incoming]]] = defaultdict(lambda: defaultdict(list))
    for found in studies:
        with suppress(UserError, OSError):  # which is raised again when its turn comes
            if (annotation := found.annotation) and annotation.mask and not annotation.choice.no_tumour:
                path = Path(os.path.realpath(annotation.mask))
                of_size[path.stat().st_size][path].append(found)
    shared: dict[Path, list[str]] = {}
    for paths in of_size.values():
        alike: dict[str, list[Path]] = defaultdict(list)
        for path in paths:  # one alone need not be read
            content = hashlib.sha256(path.read_bytes()).hexdigest() if len(paths) > 1 else ""
            alike[content].append(path)
        for copies in alike.values():
            several = [found for path in copies for found in paths[path]]
            if len({found.patient for found in several}) > 1:
                shared |= {path: [found.name for found in several] for path in copies}
    return shared


def _remove(paths: Sequence[Path]) -> None:
    """Leave nothing of a dataset that no study could enter: its folder and key, if this run made them."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Intake:
    """Takes studies into a dataset, one by one."""

    dataset: Dataset
    cohort: str
    pseudonyms: Pseudonyms
    replace_masks: bool
    keep_t2: bool
    adc_b_min: float
    on_mask: OnMask
    write: bool
    shared: Mapping[Path, Sequence[str]]  # masks that are named for several patients
    unwritten: dict[CaseId, str] = field(default_factory=dict)  # content of a dry run's cases
    first_patient: dict[str, tuple[str, str]] = field(default_factory=dict)  # content → patient, study
    masked_by: dict[CaseId, tuple[str, float]] = field(default_factory=dict)  # in this run: study, mL

    def take(self, found: Incoming) -> Outcome:
        """Take a study; raises UserError where it cannot enter."""
        annotation = found.annotation
        case = self._known(found.identifier) if found.identifier else None
        if case and annotation is None and self._is_of(case, found):
            return Outcome(found.name, "present", case, split=found.split, notes=found.notes)
        self._refuse_parts(found)
        self._refuse_shared(found)
        study = replace(found.load(), adc_b_min=self.adc_b_min)
        study.fit()  # refuses what no command could use
        placed = found.placed(study)
        refuse_errors(study_problems(study))
        content = content_of(study)
        self._refuse_anothers(found, content)
        if placed:
            refuse_errors(mask_problems(placed.mask, study))
        kept = annotation.clinical if annotation else {}
        identifier = found.identifier or content
        if present := self._known(identifier):
            if not self._is_of(present, found):
                self._require_same_images(present, content)
            before = self.dataset.participant(present)
            if len(self.dataset.cases_of(present.participant)) > 1:
                kept, differing = _as_known(before, kept)
                found = replace(found, notes=(*found.notes, *differing))
            self.dataset.update_participant(present.participant, kept)
            if (now := self.dataset.participant(present)) != before:
                entered = ", ".join(f"{name} {value}" for name, value in kept.items() if name)
                found = replace(found, notes=(*found.notes, f"participants.tsv now says: {entered}"))
            if now.cohort != self.cohort:
                stays = f"it is of the cohort {now.cohort!r} and stays there"
                found = replace(found, notes=(*found.notes, stays))
            return self._again(found, present, study, placed)
        t2, passed_over = found.t2(study, placed) if self.keep_t2 else (None, ())
        participant = Participant(
            "",
            self.cohort,
            split=found.split,
            source=found.kind,
            source_key=self.pseudonyms.of(found.patient),
        )
        known = self.dataset.find_participant(participant.source_key)
        if known:
            _require_same_split(found, known)
            if twin := self._with_same_images(known, study.geometry.shape, content):
                said = f"it has the same images as {twin}: if it was sent twice, remove one of the two"
                found = replace(found, notes=(*found.notes, said))
        kept, differing = _as_known(known, kept)
        found = replace(found, notes=(*found.notes, *differing))
        new = updated(known or participant, kept)
        case = self.dataset.add(
            NewCase(
                study,
                participant if known else new,
                self.pseudonyms.of(identifier),
                placed.mask if placed else None,
                placed.sidecar if placed else {},
                examination_key=self.pseudonyms.of(found.examination) if found.examination else "",
                visit=self._visit(found),
                with_adc=True,
                t2=t2,
            )
        )
        if not self.write:
            self.unwritten[case] = content
        self.dataset.update_participant(case.participant, kept)
        outcome = self._outcome(
            found, "added", case, study, placed, *(f"no T2 of {what}" for what in passed_over)
        )
        return replace(outcome, t2=t2.name if t2 else "")

    def _again(
        self, found: Incoming, case: CaseId, study: DwiStudy, placed: PlacedAnnotation | None
    ) -> Outcome:
        """A study that is in the dataset, perhaps with a mask that is not."""
        if placed is None:
            return Outcome(found.name, "present", case, split=found.split, notes=found.notes)
        if not self.dataset.has_mask(case):
            self.dataset.add_mask(case, placed.mask, placed.sidecar)
            return self._outcome(found, "mask added", case, study, placed)
        if self.dataset.same_mask(case, placed.mask):
            self.masked_by.setdefault(case, (found.name, volume_ml(placed.mask)))
            return Outcome(found.name, "present", case, split=found.split, notes=found.notes)
        volume = f"{volume_ml(placed.mask):.2f} mL"
        if case in self.masked_by:
            other, stays = self.masked_by[case]
            error = UserError(
                f"{other} and this are one study, and their masks differ: {stays:.2f} mL, which stays, and "
                f"{volume}.",
                expected="one mask for each study.",
                fix="take one of the two out of the source or its table.",
            )
        elif self.replace_masks:
            self.dataset.replace_mask(case, placed.mask, placed.sidecar)
            return self._outcome(found, "mask replaced", case, study, placed)
        else:
            stays = volume_ml(self.dataset.load_mask(case))
            error = UserError(
                f"its mask of {volume} differs from the dataset's of {stays:.2f} mL, which stays.",
                expected="the mask that the dataset has.",
                fix="set `replace_masks` to take the new one; the old one is kept as a version.",
            )
        return Outcome(found.name, "differs", case, split=found.split, error=str(error))

    def _outcome(
        self,
        found: Incoming,
        status: Any,
        case: CaseId,
        study: DwiStudy,
        placed: PlacedAnnotation | None,
        *told: str,
    ) -> Outcome:
        acquisition, annotation = study.acquisition, found.annotation
        if placed:
            self.masked_by[case] = found.name, volume_ml(placed.mask)
            self.on_mask(case, study, placed)
        without_b = acquisition.get("b_values_left_out", {}).items()
        derived = acquisition.get(DERIVED, {}).items()
        repeated = acquisition.get(REPETITIONS, {}).items()
        return Outcome(
            study=found.name,
            status=status,
            case=case,
            b_values=study.b_values,
            b_value_source=str(acquisition.get("b_value_source")),
            scanner_adc=study.scanner_adc is not None,
            annotation=annotation.mask if annotation else None,
            mask_ml=volume_ml(placed.mask) if placed else None,
            outside_ml=placed.outside_ml if placed else None,
            annotation_source=placed.source if placed else "",
            registration=placed.registration if placed else None,
            split=found.split,
            left_out=(*(f"b {float(b):g}: {reason}" for b, reason in without_b), *found.left_out),
            notes=(
                *found.notes,
                *(f"b {b} is derived: {how}" for b, how in derived),
                *(f"b {b} is the mean of {count} repetitions" for b, count in repeated),
                *([f"scanner ADC left out: {reason}"] if (reason := acquisition.get(ADC_LEFT_OUT)) else []),
                *(placed.notes if placed else ()),
                *told,
            ),
        )

    def _known(self, identifier: str) -> CaseId | None:
        return self.dataset.find(self.pseudonyms.of(identifier))

    def _is_of(self, case: CaseId, found: Incoming) -> bool:
        """Whether a case is of the patient whom a study is of."""
        person = self.dataset.participant(case)
        return not person.has_keyed_source or person.source_key == self.pseudonyms.of(found.patient)

    def _with_same_images(
        self, known: Participant, shape: tuple[int, int, int], content: str
    ) -> CaseId | None:
        """The case of a patient that has this study's images under other identifiers."""
        own = self.dataset.cases_of(known.participant_id)
        alike = [one for one in own if self.dataset.grid(one).shape == shape]
        return next((one for one in alike if self._content(one) == content), None)

    def _content(self, case: CaseId) -> str:
        return self.unwritten.get(case) or content_of(self.dataset.load_study(case))

    def _require_same_images(self, case: CaseId, content: str) -> None:
        """Refuse a study that bears the identifiers of another patient's images, but not the images."""
        if self._content(case) != content:
            raise UserError(
                f"its series have the UIDs of {case}, which is another patient with other images.",
                expected="Series Instance UIDs that no other patient's series have.",
                fix="export or de-identify it again, so that its UIDs are its own.",
            )

    def _refuse_parts(self, found: Incoming) -> None:
        """Tell a dataset that holds pieces of this study as studies, as earlier versions made them."""
        if cases := [str(case) for part in found.parts if (case := self._known(part))]:
            raise UserError(
                f"Of this study the dataset holds {len(cases)} parts as cases of their own: "
                f"{', '.join(cases[:5])}{' …' if len(cases) > 5 else '.'}",
                expected="the study as one case: its series are one acquisition.",
                fix="remove these patients from the dataset, then ingest again.",
            )

    def _refuse_anothers(self, found: Incoming, content: str) -> None:
        """Refuse images that came as another patient's before: they are of one of the two at most."""
        patient, name = self.first_patient.setdefault(content, (found.patient, found.name))
        if patient != found.patient:
            raise UserError(
                f"it has the same images as {name}, which is of another patient.",
                expected="images of each patient's own.",
                fix="look whose they are, and take the other study out of the source.",
            )

    def _refuse_shared(self, found: Incoming) -> None:
        """Refuse a mask that is named for several patients: it lies in one of them at most."""
        mask = found.annotation.mask if found.annotation else None
        if mask and (named := self.shared.get(Path(os.path.realpath(mask)))):
            raise UserError(
                f"{mask} is named as the mask of studies of several patients: {', '.join(named[:5])}"
                f"{' …' if len(named) > 5 else '.'}",
                expected="for each patient a file of their own; where there is no tumour, 'none'.",
                fix="correct the table.",
            )

    def _visit(self, found: Incoming) -> Visit | None:
        if not found.day:
            return None
        return Visit(
            key=self.pseudonyms.of(f"{found.patient} {found.day}"),
            date=str(self.pseudonyms.shifted(found.date, found.patient) or MISSING),
            one_of_several=found.one_of_several_days,
        )


def _as_known(known: Participant | None, kept: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What a table tells of a patient of several studies, less what differs: ages and stages change."""
    told, stays = dict(kept), list[str]()
    if known is None:
        return told, stays
    for name, text in kept.items():
        try:
            updated(known, {name: text})
        except UserError:
            del told[name]
            stays.append(f"{name} {text!r} differs from what participants.tsv says, which stays")
    return told, stays


def _require_same_split(found: Incoming, known: Participant) -> None:
    if found.split not in (MISSING, known.split):
        raise UserError(
            f"This is a {found.split} case of {known.participant_id}, who is in {known.split} already.",
            expected="every patient in one split.",
            fix="move the case to the patient's other cases in the source, or leave it out.",
        )
