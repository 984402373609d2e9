"""The items of CLAIM 2024, in short words of our own, numbered as there.

References
----------
Tejani AS, Klontzas ME, Gatti AA, et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM):
2024 Update, Radiology: Artificial Intelligence 2024;6(4):e240300, doi 10.1148/ryai.240300.
"""

from __future__ import annotations

from dataclasses import dataclass

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
