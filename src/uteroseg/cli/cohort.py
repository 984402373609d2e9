"""Verbs that put cohorts right: cohort rename, move, remove."""

from __future__ import annotations

from typing import Annotated

import typer

from uteroseg.cli.console import Json, print_result
from uteroseg.cli.data import DatasetFolder
from uteroseg.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Put cohorts and patients right, without editing files.")

_RECORDS = (
    "Models, experiments and evaluations that were made before keep the names they were made with. "
    "The dataset's fingerprint is another: an experiment on it makes its runs anew."
)


@app.command()
def rename(
    dataset: DatasetFolder,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The cohort.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    json: Json = False,
) -> None:
    """Give a cohort another name."""
    from uteroseg.dataset.cohorts import rename_cohort
    from uteroseg.dataset.store import Dataset

    store = Dataset.open(dataset)
    number = rename_cohort(store, old, new)
    text = f"{dataset}: {number} patients of {old} are {new} now. {_RECORDS}"
    text += f" Configurations of experiments that name {old} must name {new}."
    print_result({"patients": number, "cohorts": store.cohorts()}, text, as_json=json)


@app.command()
def move(
    dataset: DatasetFolder,
    patients: Annotated[list[str], typer.Argument(metavar="PATIENT…", help="Such as sub-0001 sub-0007.")],
    to: Annotated[str, typer.Option(help="The cohort that they belong to; it may be new.")],
    json: Json = False,
) -> None:
    """Put patients into another cohort. They keep their split."""
    from uteroseg.dataset.cohorts import move_patients
    from uteroseg.dataset.store import Dataset

    store = Dataset.open(dataset)
    number = move_patients(store, _names(*patients), to)
    text = f"{dataset}: {number} patients are in {to} now; splits are as they were. {_RECORDS}"
    print_result({"patients": number, "cohorts": store.cohorts()}, text, as_json=json)


@app.command()
def remove(
    dataset: DatasetFolder,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The cohort.")] = None,
    patients: Annotated[str | None, typer.Option(help="Single patients instead: sub-0001,sub-0007.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it, only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Take a cohort or single patients out: images, masks, everything derived, earlier versions, rows."""
    from uteroseg.dataset.cohorts import files_of, patients_of, remove_patients
    from uteroseg.dataset.store import Dataset

    store = Dataset.open(dataset)
    if (name is None) == (patients is None):
        raise UserError(
            "Neither a cohort nor patients were named."
            if name is None
            else "A cohort and patients were named.",
            expected="a cohort, or patients.",
            fix="name one of them: 'uteroseg cohort remove DATASET NAME', or with --patients.",
        )
    chosen = patients_of(store, name) if name else _names(patients or "")
    files = [path.relative_to(dataset) for path in files_of(store, chosen)]
    cases = [case for case in store.cases() if case.participant in chosen]
    annotated = sum(store.has_mask(case) for case in cases)
    what = f"{len(chosen)} patients with {len(cases)} cases, {annotated} of them annotated"
    values = {"patients": chosen, "cases": [*map(str, cases)], "files": [*map(str, files)], "removed": yes}
    if not yes:
        listed = "\n".join(f"  {path}" for path in files)
        print_result(values, f"{dataset} would lose {what}:\n{listed}", as_json=json)
        raise UserError(
            f"{what} would be removed from {dataset}, and nothing was.",
            expected="your word for it: what is removed cannot be had back.",
            fix="add --yes.",
        )
    remove_patients(store, chosen)
    root = store.root.resolve()
    text = (
        f"{dataset}: removed {what}. {_RECORDS} {root.name}.cache and {root.name}.download beside the "
        "dataset may hold copies of the images: delete them where these are to be gone. The key and a "
        "linking table stay. Studies that are ingested again enter as new patients."
    )
    print_result(values, text, as_json=json)


def _names(*texts: str) -> list[str]:
    """Ids, one in each text or several with commas."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]
