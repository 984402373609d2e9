"""Where things lie in a BIDS dataset: case ids and paths, no input or output.

References
----------
Brain Imaging Data Structure, diffusion imaging data; derivatives, imaging data types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from uteroseg.errors import UserError

ANNOTATIONS = Path("derivatives", "annotations")
ADC = Path("derivatives", "adc")
"""Our own ADC maps; the scanner's lie beside its images."""
HISTORY = Path("sourcedata", "annotation_history")
"""Earlier versions of annotations, each in a folder of its own."""
_CASE = re.compile(r"(sub-[0-9A-Za-z]+)(?:_(ses-[0-9A-Za-z]+))?(?:_(acq-[0-9A-Za-z]+))?")


@dataclass(frozen=True)
class CaseId:
    """A study's name in a dataset: ``sub-0001[_ses-01][_acq-label]``.

    Parameters
    ----------
    participant, session, acquisition : str
        With their prefixes ``sub-``, ``ses-`` and ``acq-``; the last two are optional.
    """

    participant: str
    session: str | None = None
    acquisition: str | None = None

    def __str__(self) -> str:
        return "_".join(part for part in (self.participant, self.session, self.acquisition) if part)

    @classmethod
    def parse(cls, name: str) -> CaseId:
        """Read a case id from its name.

        Raises
        ------
        UserError
            If the name is not one.
        """
        match = _CASE.fullmatch(name)
        if match is None:
            raise UserError(
                f"{name!r} is not a case.",
                expected="a name such as sub-0001, sub-0001_ses-01 or sub-0001_ses-01_acq-2.",
                fix="use the names of the dataset's dwi files, without _dwi.nii.gz.",
            )
        return cls(*match.groups())

    def readers_annotation(self, reader: str) -> Path:
        """One reader's mask beside the current one, relative to the dataset."""
        return ANNOTATIONS / self.folder / f"{self}_label-tumour_desc-{reader}_mask.nii.gz"

    @property
    def folder(self) -> Path:
        """The folder of the case's diffusion images, relative to the dataset."""
        return Path(self.participant, self.session or "", "dwi")

    def dwi(self, ending: str) -> Path:
        """``…_dwi.nii.gz`` and its companions ``bval``, ``bvec``, ``json``, relative to the dataset."""
        return self.folder / f"{self}_dwi.{ending}"

    @property
    def scanner_adc(self) -> Path:
        """The scanner's ADC map, relative to the dataset."""
        return self.folder / f"{self}_ADC.nii.gz"

    def adc(self, ending: str) -> Path:
        """Our ADC map ``nii.gz`` and its ``json``, relative to the dataset."""
        return ADC / self.folder / f"{self}_desc-fit_ADC.{ending}"

    @property
    def adc_residual(self) -> Path:
        """What the fit of our ADC map leaves over, relative to the dataset."""
        return ADC / self.folder / f"{self}_desc-residual_ADC.nii.gz"

    def t2w(self, ending: str) -> Path:
        """The examination's T2 ``nii.gz`` and its ``json``, relative to the dataset."""
        return self.folder.parent / "anat" / f"{self}_T2w.{ending}"

    @property
    def sessions(self) -> Path:
        """The table of the participant's sessions, relative to the dataset."""
        return Path(self.participant, f"{self.participant}_sessions.tsv")

    def annotation(self, ending: str) -> Path:
        """The current tumour mask ``nii.gz`` and its ``json``, relative to the dataset."""
        return ANNOTATIONS / self.folder / f"{self}_label-tumour_mask.{ending}"

    @property
    def history(self) -> Path:
        """The folder of the earlier versions of its annotations, relative to the dataset."""
        return HISTORY / str(self)
