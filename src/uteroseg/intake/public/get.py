"""A public collection into a dataset: download, ingest, licence and citation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uteroseg.annotations.regions import Choice
from uteroseg.dataset.layout import CaseId
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.files import read_json, write_json
from uteroseg.intake.ingest import take_in
from uteroseg.intake.outcome import Outcome
from uteroseg.intake.public.collections import Collection
from uteroseg.intake.public.download import ENDPOINT, download_series
from uteroseg.intake.public.index import IndexedSeries
from uteroseg.intake.public.selection import Selection, WantedStudy
from uteroseg.intake.source import open_source

_INCOMING = ".incoming"


@dataclass(frozen=True)
class Got:
    """What became of a collection.

    Parameters
    ----------
    outcomes : tuple of Outcome
        Of every study that was downloaded.
    failed : tuple of (WantedStudy, UserError)
        Studies that could not be downloaded.
    unused : tuple of UserError
        Why contours belong to no study.
    """

    outcomes: tuple[Outcome, ...]
    failed: tuple[tuple[WantedStudy, UserError], ...]
    unused: tuple[UserError, ...]


def downloads_of(root: Path) -> Path:
    """Where the files of a dataset's public collections lie: beside it; they can be deleted afterwards."""
    return root.resolve().with_name(f"{root.resolve().name}.download")


def get(
    rule: Collection,
    selection: Selection,
    root: Path,
    *,
    citations: Mapping[str, str],
    endpoint: str = ENDPOINT,
    on_file: Callable[[int, int], None] = lambda done, total: None,
    on_study: Callable[[int, int], None] = lambda done, total: None,
) -> Got:
    """Download what was selected and take it into a dataset.

    Given again it goes on where it stopped: with files, studies and cases.

    Parameters
    ----------
    rule : Collection
    selection : Selection
        Of that collection.
    root : Path
        A dataset, or a new or empty folder.
    citations : mapping
        DOI (lower case) → citation.
    endpoint : str
        Of the buckets.
    on_file, on_study : callable
        Told how many files are downloaded, and how many studies of a part are in the dataset.

    Raises
    ------
    UserError
        If nothing is selected, nothing could be downloaded, or the folder holds something else.
    """
    if not selection.studies:
        raise UserError(
            f"{rule.name} has nothing to get: {rule.note}.",
            expected="a collection with diffusion studies of the pelvis.",
            fix="choose another one; uteroseg public list tells what they hold.",
        )
    folder = downloads_of(root) / rule.name
    failed = _download(selection.studies, folder, endpoint, on_file)
    if len(failed) == len(selection.studies):
        raise failed[0][1]
    missing = {study.uid for study, _ in failed}
    here = [study for study in selection.studies if study.uid not in missing]
    outcomes: list[Outcome] = []
    unused: list[UserError] = []
    for b_values, studies in _by_b_values(here).items():
        part = _part(folder, studies[0])
        with open_source(
            part,
            annotations=part if rule.contours else None,
            choice=Choice(colour=rule.roi_colour),
            options=ReadOptions(b_values),
        ) as source:
            taken = take_in(source, root, cohort=rule.cohort, on_study=on_study)
        cases = {found.examination: one.case for found, one in zip(source.studies, taken, strict=True)}
        _record_drawn_on(root, cases, studies)
        outcomes += taken
        unused += source.unused
    if root.is_dir():
        _credit(root, [w.series for study in here for w in study.series], citations)
    return Got(tuple(outcomes), tuple(failed), tuple(unused))


def _download(
    studies: Sequence[WantedStudy], folder: Path, endpoint: str, on_file: Callable[[int, int], None]
) -> list[tuple[WantedStudy, UserError]]:
    """Get studies one after the other; one that fails leaves nothing that would be ingested."""
    total = sum(wanted.series.files for study in studies for wanted in study.series)
    done, failed = 0, []

    def count() -> None:
        nonlocal done
        done += 1
        on_file(done, total)

    for study in studies:
        whole = _part(folder, study) / _short(study.uid)
        if whole.is_dir():
            done += sum(wanted.series.files for wanted in study.series)
            continue
        incoming = folder / _INCOMING / _short(study.uid)
        try:
            for wanted in study.series:
                place = incoming / _short(wanted.series.uid)
                download_series(wanted.series, place, endpoint=endpoint, on_file=count)
            whole.parent.mkdir(parents=True, exist_ok=True)
            incoming.replace(whole)
        except UserError as error:
            failed.append((study, error))
    return failed


def _by_b_values(studies: Sequence[WantedStudy]) -> dict[tuple[float, ...], list[WantedStudy]]:
    groups: dict[tuple[float, ...], list[WantedStudy]] = defaultdict(list)
    for study in studies:
        groups[study.diffusion.b_values].append(study)
    return groups


def _part(folder: Path, study: WantedStudy) -> Path:
    """Studies whose b-values come from the same place lie together: they are ingested together."""
    listed = "-".join(f"{b:g}" for b in study.diffusion.b_values)
    return folder / (f"b-{listed}" if listed else "b-in-headers")


def _short(uid: str) -> str:
    """The end of a UID, which is what differs: Windows likes paths of at most 260 characters."""
    return uid[-16:]


def _record_drawn_on(root: Path, cases: Mapping[str, CaseId | None], studies: Sequence[WantedStudy]) -> None:
    """Write beside each mask which series it was drawn on, as the index describes it."""
    for study in studies:
        case = cases.get(study.uid)
        path = root / case.annotation("json") if case and study.drawn_on else None
        if path and path.is_file():
            write_json(path, {**read_json(path), "drawn_on": study.drawn_on})


def _credit(root: Path, series: Sequence[IndexedSeries], citations: Mapping[str, str]) -> None:
    """Write licence and citation into ``dataset_description.json``, under BIDS's names."""
    path = root / "dataset_description.json"
    values = read_json(path)
    licences = {one.licence for one in series} | {*filter(None, str(values.get("License", "")).split("; "))}
    cited = {citations.get(one.doi.lower(), f"https://doi.org/{one.doi}") for one in series if one.doi}
    links = sorted({*values.get("ReferencesAndLinks", []), *cited})
    credit = {
        "License": "; ".join(sorted(licences - {""})),
        "ReferencesAndLinks": links,
        "HowToAcknowledge": "Cite every source in ReferencesAndLinks.",
    }
    write_json(path, {**values, **credit})
