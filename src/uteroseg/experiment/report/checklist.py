"""CLAIM 2024 filled in as far as an experiment's record can answer; the rest is left to the author.

The items stand in short words of our own, numbered as there.

References
----------
Tejani AS, Klontzas ME, Gatti AA, et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM):
2024 Update, Radiology: Artificial Intelligence 2024;6(4):e240300, doi 10.1148/ryai.240300.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uteroseg import RESEARCH_USE
from uteroseg.experiment.analysis import Analysis
from uteroseg.experiment.records import Experiment
from uteroseg.experiment.report import making
from uteroseg.experiment.report.words import patients_of

SOURCE = "Tejani et al., Radiology: Artificial Intelligence 2024;6(4):e240300"
DOI = "10.1148/ryai.240300"


@dataclass(frozen=True)
class Item:
    """One item: its number, the part of a paper that it belongs to, and what is to be reported."""

    number: int
    part: str
    text: str


_PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Title and abstract", ("AI and its kind named in the title", "Structured abstract")),
    ("Introduction", ("Background, intended use and clinical role", "Aims and hypotheses")),
    ("Study design", ("Prospective or retrospective", "Goal of the study")),
    (
        "Data",
        (
            "Data sources",
            "Inclusion and exclusion criteria",
            "Preprocessing",
            "Selection of subsets of the data",
            "De-identification",
            "Missing data",
            "Image acquisition",
        ),
    ),
    (
        "Reference standard",
        (
            "Definition of the reference standard",
            "Why this reference standard",
            "Annotators and their qualification",
            "How test cases were annotated",
            "Variability within and between annotators",
        ),
    ),
    ("Partitions", ("How data were assigned to partitions", "Level at which partitions are disjoint")),
    ("Test data", ("Size of the test set and its justification",)),
    (
        "Model",
        ("Architecture, input and output", "Software and versions", "Initialisation of the parameters"),
    ),
    (
        "Training",
        ("Training, augmentation, hyperparameters", "How the final model was selected", "Ensembles"),
    ),
    (
        "Evaluation",
        (
            "Measures of performance",
            "Uncertainty and significance",
            "Robustness and sensitivity analysis",
            "Explainability",
            "Testing on internal data",
            "Testing on external data",
            "Trial registration",
        ),
    ),
    (
        "Results: data",
        ("Numbers included and excluded, flow of patients", "Demographic and clinical characteristics"),
    ),
    (
        "Results: model",
        (
            "Performance in all partitions and subgroups",
            "Estimates with their intervals",
            "Analysis of failures",
        ),
    ),
    ("Discussion", ("Limitations", "Implications for practice")),
    ("Other", ("Full protocol", "Availability of software, model and data", "Funding")),
)

ITEMS: tuple[Item, ...] = tuple(
    Item(number, part, text)
    for number, (part, text) in enumerate(((part, text) for part, texts in _PARTS for text in texts), start=1)
)


@dataclass(frozen=True)
class Answer:
    """What the record says of an item, and what is left to the author; either can be empty."""

    text: str = ""
    left: str = ""


@dataclass(frozen=True)
class Row:
    """An item with its answer."""

    item: Item
    answer: Answer


def checklist(experiment: Experiment, analysis: Analysis) -> list[Row]:
    """Fill the checklist in.

    Parameters
    ----------
    experiment : Experiment
    analysis : Analysis

    Returns
    -------
    list of Row
        One for each of the 44 items. What the record cannot know is said to be for the author.
    """
    facts = _Facts(experiment, analysis)
    return [Row(item, facts.answer(item.number)) for item in ITEMS]


class _Facts:
    """Answers by the number of the item."""

    def __init__(self, experiment: Experiment, analysis: Analysis) -> None:
        self._experiment, self._analysis = experiment, analysis
        self._records = [run.record for run in experiment.runs]
        self._virtual = experiment.virtual
        self._source, self._target = experiment.source_cohort, experiment.target_cohort
        table = analysis.summary.drop_duplicates("test_set").set_index("test_set")["patients"].to_dict()
        self._test = {str(name): int(number) for name, number in table.items()}
        self._sizes = sorted({r.target_cases for r in self._records} - {0})
        self._seeds = len({record.seed for record in self._records})
        self._recorded = any(record.settings for record in self._records)

    def answer(self, number: int) -> Answer:
        """The answer to an item."""
        own: Callable[[], Answer] | None = getattr(self, f"_item_{number}", None)
        return own() if own else Answer(left="all of it")

    def _item_1(self) -> Answer:
        return Answer(
            "Deep learning (a convolutional network) for segmentation, adapted by transfer learning.",
            "the title",
        )

    def _item_4(self) -> Answer:
        return Answer(
            f"How many annotated {self._target} cases a {self._source} model needs, which layers to tune, "
            "and when to train on both cohorts together.",
            "hypotheses",
        )

    def _item_5(self) -> Answer:
        if self._virtual:
            return Answer("A simulation: no patient was enrolled.")
        return Answer(left="all of it")

    def _item_6(self) -> Answer:
        return Answer(
            "Exploratory comparison of ways to adapt a model; no claim of clinical use.",
            "the study’s own goal",
        )

    def _item_7(self) -> Answer:
        prints = making.common(self._records, "data")
        named = (
            " Fingerprints of the data: "
            + ", ".join(f"{role} {str(value)[:12]}" for role, value in prints.items())
            + "."
            if isinstance(prints, dict)
            else ""
        )
        if self._virtual:
            return Answer(f"Virtual patients that uteroseg makes from a seed; no patient’s data.{named}")
        return Answer(f"Cohorts {self._source} and {self._target}.{named}", "sources, dates, links")

    def _item_8(self) -> Answer:
        return self._if_virtual("All patients that were simulated were used.")

    def _item_9(self) -> Answer:
        network = making.network(self._records)
        if not network:
            return Answer(left="all of it")
        return Answer(
            f"{network}. Slices are resampled in plane only; b images are divided by the median of the "
            "lowest b inside the body, ADC has a fixed scale."
        )

    def _item_10(self) -> Answer:
        if not self._sizes:
            return Answer(left="all of it")
        text = f"{', '.join(map(str, self._sizes))} {self._target} cases for training"
        if self._recorded:
            text += "; smaller sets are parts of larger ones, balanced by histology and tumour volume"
        return Answer(f"{text}.")

    def _item_11(self) -> Answer:
        return self._if_virtual("Not needed: there are no persons.")

    def _item_12(self) -> Answer:
        return Answer(
            f"No test case is missing: every run was measured on the same {self._test['pooled']} patients.",
            "" if self._virtual else "missing data before that",
        )

    def _item_13(self) -> Answer:
        return self._if_virtual("Simulated diffusion-weighted MRI; the settings stand in experiment.yaml.")

    def _item_14(self) -> Answer:
        return self._if_virtual("The simulated tumour itself, known without error.")

    def _item_15(self) -> Answer:
        return self._if_virtual("Nothing is nearer to the truth than the simulated tumour.")

    def _item_16(self) -> Answer:
        return self._if_virtual("None: nobody annotated.")

    def _item_17(self) -> Answer:
        return self._if_virtual("As for training: the simulated tumour.")

    def _item_18(self) -> Answer:
        return self._if_virtual("None, by construction.")

    def _item_19(self) -> Answer:
        largest = {
            cohort: max(record.training_cases.get(cohort, 0) for record in self._records)
            for cohort in (self._source, self._target)
        }
        text = "; ".join(
            f"{cohort}: up to {largest[cohort]} to train on, {self._test.get(role, 0)} to test on"
            for role, cohort in (("source", self._source), ("target", self._target))
        )
        if self._recorded:
            text += "; from 26 training patients on a fifth of them, 24 at most, are held out to tune"
        return Answer(f"{text}.", "how patients were assigned, and why")

    def _item_20(self) -> Answer:
        if not self._recorded:
            return Answer(left="all of it")
        return Answer("By patient, checked before training: none is in two partitions or in both cohorts.")

    def _item_21(self) -> Answer:
        sizes = " and ".join(
            patients_of(name, self._test[role])
            for role, name in (("source", self._source), ("target", self._target))
            if role in self._test
        )
        return Answer(f"{sizes}.", "justification of the number")

    def _item_22(self) -> Answer:
        network = making.network(self._records)
        text = f"{network}. Output: the probability of tumour for each pixel." if network else ""
        return Answer(text, "" if network else "all of it")

    def _item_23(self) -> Answer:
        versions = sorted({pair for record in self._records for pair in record.versions.items()})
        return Answer(", ".join(f"{name} {version}" for name, version in versions) + ".")

    def _item_24(self) -> Answer:
        text = making.start(self._records)
        return Answer(text, "" if text else "all of it")

    def _item_25(self) -> Answer:
        text = " ".join(filter(None, (making.recipe(self._records), making.budget(self._records))))
        if not text:
            return Answer(left="all of it")
        return Answer(
            f"{text} Augmentation: rotation, scale, shift, elastic and phase-encoding distortion, gain, "
            "contrast, ghosts, blur and Rician noise, with ADC recomputed."
        )

    def _item_26(self) -> Answer:
        if not self._recorded:
            return Answer(left="all of it")
        several = self._analysis.summary.query("target_cases > 0")["strategy"].nunique() > 1
        text = "The check with the best DSC on held-out patients; where there are none, the training’s end."
        if several:
            text += (
                " The strategies are compared on the test patients themselves, so that the best one’s "
                "result is somewhat flattered."
            )
        return Answer(text)

    def _item_27(self) -> Answer:
        return Answer("None; models of several seeds are measured one by one and their measures averaged.")

    def _item_28(self) -> Answer:
        return Answer(
            "DSC, sensitivity and PPV by voxels, volume, missed tumours; for empty masks see “How it was "
            "measured”."
        )

    def _item_29(self) -> Answer:
        return Answer("See “How it was measured”: bootstrap intervals, Wilcoxon tests, Holm’s correction.")

    def _item_30(self) -> Answer:
        seeds = (
            "One training each" if self._seeds == 1 else f"{self._seeds} seeds, each a training of its own"
        )
        strata = ", ".join(dict.fromkeys(self._analysis.strata["by"])) if len(self._analysis.strata) else ""
        return Answer(f"{seeds}{f'; by {strata}' if strata else ''}.", "further analyses")

    def _item_31(self) -> Answer:
        return Answer("None; outlines on the images show what was segmented.")

    def _item_32(self) -> Answer:
        return Answer(
            f"{patients_of('test', self._test['pooled']).capitalize()} of the same cohorts as in training."
        )

    def _item_33(self) -> Answer:
        return Answer("None.", "why, or further testing")

    def _item_34(self) -> Answer:
        return self._if_virtual("Not applicable: no patients.")

    def _item_35(self) -> Answer:
        if self._virtual:
            return Answer("Nobody was excluded; the numbers stand under 19.")
        return Answer("Included: see 19.", "exclusions and the flow of patients")

    def _item_36(self) -> Answer:
        cases = self._experiment.cases.drop_duplicates(["test_set", "case"])
        volumes = cases.loc[cases["volume_ml"] > 0, "volume_ml"]
        kinds = cases.loc[cases["histology"] != "", "histology"].value_counts().sort_index()
        text = ", ".join(f"{name} {number}" for name, number in kinds.items())
        if len(volumes):
            low, middle, high = volumes.quantile([0.25, 0.5, 0.75])
            text += f"; tumour volume median {middle:.1f} mL (quartiles {low:.1f} and {high:.1f})"
        return Answer(
            f"Test cases: {text.removeprefix('; ')}." if text else "", "age, stage, training patients"
        )

    def _item_37(self) -> Answer:
        return Answer("See “Results” and the tables by histology and volume.", "performance in training")

    def _item_38(self) -> Answer:
        return Answer("See “Results”: mean DSC with 95 % intervals; ROC curves do not apply to segmentation.")

    def _item_39(self) -> Answer:
        return Answer(
            "Every test case is listed, the worst first; missed tumours are counted.", "why they fail"
        )

    def _item_40(self) -> Answer:
        if self._virtual:
            return Answer("Virtual patients: nothing is said about real ones.", "further limitations")
        return Answer(left="all of it")

    def _item_41(self) -> Answer:
        return Answer(RESEARCH_USE, "implications")

    def _item_42(self) -> Answer:
        return Answer("Settings: experiment.yaml and each run’s run.json.")

    def _item_43(self) -> Answer:
        if self._virtual:
            return Answer(
                "uteroseg is free software (Apache-2.0); the patients can be made again from its settings.",
                "models",
            )
        return Answer("uteroseg is free software (Apache-2.0).", "data and models")

    def _if_virtual(self, text: str) -> Answer:
        return Answer(text) if self._virtual else Answer(left="all of it")
