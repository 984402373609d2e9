"""CLAIM 2024 filled in as far as an experiment's record can answer; the rest is left to the author.

The items stand in short words of our own, in the order and numbering of the checklist.

References
----------
Tejani AS, Klontzas ME, Gatti AA, et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM):
2024 Update, Radiology: Artificial Intelligence 2024;6(4):e240300, doi 10.1148/ryai.240300.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from uteroseg import RESEARCH_USE
from uteroseg.experiment.report import making
from uteroseg.experiment.report.blocks import Cell, Group, Head, Note, Section, Table
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import patients_of

SOURCE = "Tejani et al., Radiology: Artificial Intelligence 2024;6(4):e240300"
DOI = "10.1148/ryai.240300"


@dataclass(frozen=True)
class Entry:
    """What the record says of an item, and what is left to the author; either can be empty."""

    text: str = ""
    left: str = ""


LEFT = Entry(left="all of it")


@dataclass(frozen=True)
class ClaimItem:
    """What is to be reported, and how the record answers."""

    text: str
    entry: Callable[[Context], Entry] = lambda context: LEFT


def checklist(context: Context) -> Section:
    """The checklist, filled in: 44 items. What the record cannot know is said to be for the author."""
    groups, listed = [], []
    numbers = itertools.count(1)
    for part, items in PARTS:
        rows = []
        for item in items:
            number, found = next(numbers), item.entry(context)
            listed.append((number, part, item.text, found.text, found.left))
            rows.append(
                (
                    Cell(str(number)),
                    Cell(item.text, kind="text"),
                    Cell(found.text or "–", kind="text"),
                    Cell(found.left or "–", kind="text left"),
                )
            )
        groups.append(Group(tuple(rows), part))
    note = (
        "Filled in as far as the record of this experiment can answer; the rest is for the author. Items in "
        f"short words of ours, numbered as in {SOURCE}, doi {DOI}, whose own form is the one to submit."
    )
    heads = (tuple(map(Head, ("Item", "To report", "From the record", "For the author"))),)
    file = pd.DataFrame(listed, columns=["item", "part", "to_report", "from_the_record", "for_the_author"])
    return Section(
        "CLAIM 2024 checklist",
        (Note(note), Table("checklist spaced", heads, tuple(groups))),
        {"claim": file},
        style="claim",
    )


def _says(text: str, left: str = "") -> Callable[[Context], Entry]:
    """The same for every experiment."""
    return lambda context: Entry(text, left)


def _if_virtual(text: str, left: str = "") -> Callable[[Context], Entry]:
    """For virtual patients only; of real ones the record knows nothing."""
    return lambda context: Entry(text, left) if context.experiment.virtual else LEFT


def _recorded(context: Context) -> bool:
    """Whether runs recorded their settings."""
    return any(record.settings for record in context.records)


def _aims(context: Context) -> Entry:
    return Entry(
        f"How many annotated {context.target} cases a {context.source} model needs, which layers to tune, "
        "and when to train on both cohorts together.",
        "hypotheses",
    )


def _sources(context: Context) -> Entry:
    prints = making.common(context.records, "data")
    named = (
        " Fingerprints of the data: "
        + ", ".join(f"{role} {str(value)[:12]}" for role, value in prints.items())
        + "."
        if isinstance(prints, dict)
        else ""
    )
    if context.experiment.virtual:
        return Entry(f"Virtual patients that uteroseg makes from a seed; no patient’s data.{named}")
    return Entry(f"Cohorts {context.source} and {context.target}.{named}", "sources, dates, links")


def _preprocessing(context: Context) -> Entry:
    network = making.network(context.records)
    if not network:
        return LEFT
    return Entry(
        f"{network}. Slices are resampled in plane only; b images are divided by the median of the "
        "lowest b inside the body, ADC has a fixed scale."
    )


def _subsets(context: Context) -> Entry:
    sizes = sorted({record.target_cases for record in context.records} - {0})
    if not sizes:
        return LEFT
    text = f"{', '.join(map(str, sizes))} {context.target} cases for training"
    if _recorded(context):
        text += "; smaller sets are parts of larger ones, balanced by histology and known tumour volume"
    taught = sorted({record.strategy for record in context.records if record.unannotated_cases})
    if taught:
        text += f"; {', '.join(taught)} trained on the other cases’ images too, without their masks"
    return Entry(f"{text}.")


def _missing_data(context: Context) -> Entry:
    return Entry(
        f"No test case is missing: every run was measured on the same {context.patients['pooled']} patients.",
        "" if context.experiment.virtual else "missing data before that",
    )


def _partitions(context: Context) -> Entry:
    said = []
    for role in ("source", "target"):
        cohort = context.names[role]
        largest = max(record.training_cases.get(cohort, 0) for record in context.records)
        said.append(f"{cohort}: up to {largest} to train on, {context.patients.get(role, 0)} to test on")
    if _recorded(context):
        said.append("from 26 training patients on a fifth of them, 24 at most, are held out to tune")
    return Entry(f"{'; '.join(said)}.", "how patients were assigned, and why")


def _disjoint(context: Context) -> Entry:
    if not _recorded(context):
        return LEFT
    return Entry("By patient, checked before training: none is in two partitions or in both cohorts.")


def _test_size(context: Context) -> Entry:
    sizes = [
        patients_of(context.names[role], context.patients[role])
        for role in ("source", "target")
        if role in context.patients
    ]
    return Entry(f"{' and '.join(sizes)}.", "justification of the number")


def _architecture(context: Context) -> Entry:
    network = making.network(context.records)
    return Entry(f"{network}. Output: the probability of tumour for each pixel.") if network else LEFT


def _initialisation(context: Context) -> Entry:
    text = making.start(context.records)
    return Entry(text) if text else LEFT


def _training(context: Context) -> Entry:
    text = " ".join(filter(None, (making.recipe(context.records), making.budget(context.records))))
    if not text:
        return LEFT
    return Entry(
        f"{text} Augmentation: rotation, scale, shift, elastic and phase-encoding distortion, gain, "
        "contrast, ghosts, blur and Rician noise, with ADC recomputed."
    )


def _selection(context: Context) -> Entry:
    if not _recorded(context):
        return LEFT
    text = "The check with the best DSC on held-out patients; where there are none, the training’s end."
    if context.several:
        text += (
            " The strategies are compared on the test patients themselves, so that the best one’s "
            "result is somewhat flattered."
        )
    return Entry(text)


def _robustness(context: Context) -> Entry:
    seeds, strata = context.analysis.seeds, context.analysis.strata
    text = "One training each" if seeds == 1 else f"{seeds} seeds, each a training of its own"
    by = f"; by {', '.join(dict.fromkeys(strata['by']))}" if len(strata) else ""
    return Entry(f"{text}{by}.", "further analyses")


def _internal_testing(context: Context) -> Entry:
    patients = patients_of("test", context.patients["pooled"]).capitalize()
    return Entry(f"{patients} of the same cohorts as in training.")


def _flow(context: Context) -> Entry:
    if context.experiment.virtual:
        return Entry("Nobody was excluded; the numbers stand under 19.")
    return Entry("Included: see 19.", "exclusions and the flow of patients")


def _characteristics(context: Context) -> Entry:
    cases = context.experiment.cases.drop_duplicates(["test_set", "case"])
    volumes = cases.loc[cases["volume_ml"] > 0, "volume_ml"]
    kinds = cases.loc[cases["histology"] != "", "histology"].value_counts().sort_index()
    text = ", ".join(f"{name} {number}" for name, number in kinds.items())
    if len(volumes):
        low, middle, high = volumes.quantile([0.25, 0.5, 0.75])
        text += f"; tumour volume median {middle:.1f} mL (quartiles {low:.1f} and {high:.1f})"
    return Entry(f"Test cases: {text.removeprefix('; ')}." if text else "", "age, stage, training patients")


def _availability(context: Context) -> Entry:
    if context.experiment.virtual:
        return Entry(
            "uteroseg is free software (Apache-2.0); the patients can be made again from its settings.",
            "models",
        )
    return Entry("uteroseg is free software (Apache-2.0).", "data and models")


PARTS: tuple[tuple[str, tuple[ClaimItem, ...]], ...] = (
    (
        "Title and abstract",
        (
            ClaimItem(
                "AI and its kind named in the title",
                _says(
                    "Deep learning (a convolutional network) for segmentation, adapted by transfer learning.",
                    "the title",
                ),
            ),
            ClaimItem("Structured abstract"),
        ),
    ),
    (
        "Introduction",
        (ClaimItem("Background, intended use and clinical role"), ClaimItem("Aims and hypotheses", _aims)),
    ),
    (
        "Study design",
        (
            ClaimItem("Prospective or retrospective", _if_virtual("A simulation: no patient was enrolled.")),
            ClaimItem(
                "Goal of the study",
                _says(
                    "Exploratory comparison of ways to adapt a model; no claim of clinical use.",
                    "the study’s own goal",
                ),
            ),
        ),
    ),
    (
        "Data",
        (
            ClaimItem("Data sources", _sources),
            ClaimItem(
                "Inclusion and exclusion criteria", _if_virtual("All patients that were simulated were used.")
            ),
            ClaimItem("Preprocessing", _preprocessing),
            ClaimItem("Selection of subsets of the data", _subsets),
            ClaimItem("De-identification", _if_virtual("Not needed: there are no persons.")),
            ClaimItem("Missing data", _missing_data),
            ClaimItem(
                "Image acquisition",
                _if_virtual("Simulated diffusion-weighted MRI; the settings stand in experiment.yaml."),
            ),
        ),
    ),
    (
        "Reference standard",
        (
            ClaimItem(
                "Definition of the reference standard",
                _if_virtual("The simulated tumour itself, known without error."),
            ),
            ClaimItem(
                "Why this reference standard",
                _if_virtual("Nothing is nearer to the truth than the simulated tumour."),
            ),
            ClaimItem("Annotators and their qualification", _if_virtual("None: nobody annotated.")),
            ClaimItem("How test cases were annotated", _if_virtual("As for training: the simulated tumour.")),
            ClaimItem("Variability within and between annotators", _if_virtual("None, by construction.")),
        ),
    ),
    (
        "Partitions",
        (
            ClaimItem("How data were assigned to partitions", _partitions),
            ClaimItem("Level at which partitions are disjoint", _disjoint),
        ),
    ),
    ("Test data", (ClaimItem("Size of the test set and its justification", _test_size),)),
    (
        "Model",
        (
            ClaimItem("Architecture, input and output", _architecture),
            ClaimItem("Software and versions", lambda context: Entry(f"{making.versions(context.records)}.")),
            ClaimItem("Initialisation of the parameters", _initialisation),
        ),
    ),
    (
        "Training",
        (
            ClaimItem("Training, augmentation, hyperparameters", _training),
            ClaimItem("How the final model was selected", _selection),
            ClaimItem(
                "Ensembles",
                _says("None; models of several seeds are measured one by one and their measures averaged."),
            ),
        ),
    ),
    (
        "Evaluation",
        (
            ClaimItem(
                "Measures of performance",
                _says(
                    "DSC, sensitivity and PPV by voxels, volume, missed tumours; for empty masks see “How it "
                    "was measured”."
                ),
            ),
            ClaimItem(
                "Uncertainty and significance",
                _says("See “How it was measured”: bootstrap intervals, Wilcoxon tests, Holm’s correction."),
            ),
            ClaimItem("Robustness and sensitivity analysis", _robustness),
            ClaimItem("Explainability", _says("None; outlines on the images show what was segmented.")),
            ClaimItem("Testing on internal data", _internal_testing),
            ClaimItem("Testing on external data", _says("None.", "why, or further testing")),
            ClaimItem("Trial registration", _if_virtual("Not applicable: no patients.")),
        ),
    ),
    (
        "Results: data",
        (
            ClaimItem("Numbers included and excluded, flow of patients", _flow),
            ClaimItem("Demographic and clinical characteristics", _characteristics),
        ),
    ),
    (
        "Results: model",
        (
            ClaimItem(
                "Performance in all partitions and subgroups",
                _says("See “Results” and the tables by histology and volume.", "performance in training"),
            ),
            ClaimItem(
                "Estimates with their intervals",
                _says(
                    "See “Results”: mean DSC with 95 % intervals; ROC curves do not apply to segmentation."
                ),
            ),
            ClaimItem(
                "Analysis of failures",
                _says(
                    "Every test case is listed, the worst first; missed tumours are counted.", "why they fail"
                ),
            ),
        ),
    ),
    (
        "Discussion",
        (
            ClaimItem(
                "Limitations",
                _if_virtual("Virtual patients: nothing is said about real ones.", "further limitations"),
            ),
            ClaimItem("Implications for practice", _says(RESEARCH_USE, "implications")),
        ),
    ),
    (
        "Other",
        (
            ClaimItem("Full protocol", _says("Settings: experiment.yaml and each run’s run.json.")),
            ClaimItem("Availability of software, model and data", _availability),
            ClaimItem("Funding"),
        ),
    ),
)
