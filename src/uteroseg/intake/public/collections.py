"""The public collections with DWI of cervical and uterine tumours, and the rule of each.

What the rules say was read from the index of Imaging Data Commons (version 25) and from what is published of
the collections. Descriptions are matched as a whole, upper and lower case the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from uteroseg.errors import UserError


@dataclass(frozen=True)
class Diffusion:
    """A kind of diffusion series.

    Parameters
    ----------
    description : str
        Regular expression for its Series Description.
    b_values : tuple of float
        s/mm² in the order of acquisition, where de-identification took them out of the headers; they are
        believed only where the signal then falls with b.
    """

    description: str
    b_values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Collection:
    """What to take from a collection.

    Parameters
    ----------
    name : str
        Its collection_id.
    cohort : str
    dwi : tuple of Diffusion
    adc, t2, contours : str
        Regular expressions for the Series Description of the scanner's ADC, of T2 series, and of RTSTRUCT
        with the tumour; no contours: images without masks.
    drawn_on : {"t2", "number"}
        How the index tells what contours were drawn on: any T2 series of the study, or the series whose
        number theirs repeats.
    roi_colour : tuple of int, optional
        Of the tumour, where an RTSTRUCT holds several regions of one name.
    note : str
        What a user should know.
    """

    name: str
    cohort: str
    dwi: tuple[Diffusion, ...]
    adc: str = r".*ADC.*|(?!exponential).*apparent diffusion.*"
    t2: str = ""
    contours: str = ""
    drawn_on: Literal["t2", "number"] = "t2"
    roi_colour: tuple[int, int, int] | None = None
    note: str = ""

    def diffusion(self, description: str) -> Diffusion | None:
        """The kind of diffusion series that a description names."""
        return next((kind for kind in self.dwi if matches(kind.description, description)), None)


def matches(pattern: str, description: str) -> bool:
    """Whether a description as a whole is what a rule names."""
    return bool(pattern) and re.fullmatch(pattern, description.strip(), re.IGNORECASE) is not None


_ALL = (
    Collection(
        name="cc_tumor_heterogeneity",
        cohort="cervical",
        dwi=(
            Diffusion(r"SAG DWI B100/600/1000", (0, 100, 600, 1000)),  # GE: four images a slice
            Diffusion(r"(SAG )?(DWI|DIFFUSION)( [\d ]+)?"),
        ),
        t2=r".*\bT2\b.*",
        contours=r"ROI",
        roi_colour=(0, 235, 235),  # the uterus has the same name, and 255,0,255
        note="several dates of most patients, before and during radiotherapy; contours drawn on T2",
    ),
    Collection(
        name="cptac_ucec",
        cohort="uterine",
        dwi=(
            Diffusion(r"ep2d_diff.*_TRACEW"),
            Diffusion(r"(AX|SAG) DWI 700B", (0, 700)),  # GE: two images a slice
        ),
        t2=r"t2_.*tse.*|.*frFSE.*",
        contours=r"Pre-Dose, UTERUS - \d+",
        drawn_on="number",
        note="by their numbers the contours were drawn on T1 after contrast, none on DWI or T2",
    ),
    Collection(
        name="tcga_cesc",
        cohort="cervical",
        dwi=(Diffusion(r"AX DWI\s+B800", (0, 800)),),  # GE: two images a slice
        note="images without masks",
    ),
    Collection(
        name="tcga_ucec",
        cohort="uterine",
        dwi=(Diffusion(r"(AX|SAG) DWI\s+B\d+"),),
        note="no DWI of the pelvis: its only one is of liver and kidneys",
    ),
)

COLLECTIONS: Mapping[str, Collection] = {collection.name: collection for collection in _ALL}


def collection_named(name: str) -> Collection:
    """A collection by its collection_id.

    Raises
    ------
    UserError
        If there is no rule for it.
    """
    if name not in COLLECTIONS:
        raise UserError(
            f"There is no public collection {name!r}.",
            expected=f"one of {', '.join(COLLECTIONS)}.",
            fix="choose one of them; uteroseg public list tells what they hold.",
        )
    return COLLECTIONS[name]
