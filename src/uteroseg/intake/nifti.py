"""Take diffusion studies from image files: NIfTI with ``.bval`` (dcm2niix, BIDS), ADC maps with a high b."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from uteroseg.annotations.placement import PlacedAnnotation
from uteroseg.annotations.table import Annotation, TableRow
from uteroseg.dicom.acquisition import acquisition_of_sidecar
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.imaging.formats import read_any
from uteroseg.imaging.study import ADC_LEFT_OUT, DERIVED, DwiStudy, Volume
from uteroseg.intake.images import ImageStudy, find_images, load_images
from uteroseg.intake.study import Incoming, require_usable

_PICAI = re.compile(r"(\d{5})_(\d{7})")
"""PI-CAI's names: patient and examination."""


def find_nifti(
    source: Path,
    rows: Sequence[TableRow] = (),
    *,
    origin: str,
    options: ReadOptions,
) -> list[NiftiStudy]:
    """Find the studies below a folder: NIfTI images with ``.bval``, ADC maps with an image of high b.

    The first folder below the source names the patient, or the file where it lies in none; a folder
    ``ses-…`` names the date.

    Parameters
    ----------
    source : Path
    rows : sequence of TableRow
        Masks, by the image's path or folder below the source.
    origin : str
        Name of the source: patients of the same name in another source are others.
    options : ReadOptions
        Its ``b_values`` are one number, s/mm²: that of images of high b of which no file says it.

    Raises
    ------
    UserError
        If there is no such image, ``b_values`` serve none, or a row names none or several, or two rows name
        the same.
    """
    studies = find_images(source)
    if not studies:
        raise UserError(
            f"{source} holds no NIfTI image with a .bval file, and no ADC map with an image of high b.",
            expected="images such as patient7/dwi.nii.gz, each with patient7/dwi.bval, "
            "or patient7_adc.mha with patient7_hbv.mha.",
            fix="write the .bval files from the scanner's protocol, one b-value (s/mm²) for each volume.",
        )
    if options.b_values and not any(one.is_pair for one in studies):
        raise UserError(
            f"`b_values` are given, and every image below {source} has its own.",
            expected="`b_values` for an image of high b beside an ADC map alone.",
            fix="leave out `b_values`, and correct the .bval files where they are wrong.",
        )
    masks = _by_image(rows, studies, source)
    return [_study(one, masks.get(one), origin, options) for one in studies]


@dataclass(frozen=True, eq=False, kw_only=True)
class NiftiStudy(Incoming):
    """The image files of one study.

    Parameters
    ----------
    images : ImageStudy
    row : TableRow, optional
        What the annotation table says of it.
    b_values : tuple of float
        As of `find_nifti`.
    """

    images: ImageStudy
    row: TableRow | None = None
    b_values: tuple[float, ...] = ()

    def load(self) -> DwiStudy:
        """Read its images; of a sidecar, what tells nobody."""
        study = load_images(self.images, self.b_values, form=self.form)
        require_usable(
            study.b_values,
            where=str(self.images.image),
            fix="add the images of the other b-values, or the ADC map, or leave this one out.",
        )
        ours = {
            name: study.acquisition[name] for name in (DERIVED, ADC_LEFT_OUT) if name in study.acquisition
        }
        source = study.acquisition["b_value_source"] if self.images.is_pair else ".bval file"
        known = acquisition_of_sidecar(study.acquisition)
        return replace(study, acquisition={**known, "b_value_source": source, **ours}, adc_b_min=0.0)

    @property
    def annotation(self) -> Annotation | None:
        """What the table says of its mask."""
        return self.row

    def t2(self, study: DwiStudy, placed: PlacedAnnotation | None) -> tuple[Volume | None, tuple[str, ...]]:
        """The image of the same name that ends in t2w."""
        if self.images.t2 is None:
            return None, ()
        try:
            image, geometry = read_any(self.images.t2, self.form)
            if image.ndim == 3:
                return Volume(image, geometry, name=self.images.t2.name), ()
            return None, (f"its T2 is left out: it holds {len(image)} volumes",)
        except UserError as error:
            return None, (f"its T2 is left out: {error.found}",)


def _study(found: ImageStudy, row: TableRow | None, origin: str, options: ReadOptions) -> NiftiStudy:
    *folders, name = PurePosixPath(found.name).parts
    session = next((folder for folder in folders if folder.startswith("ses-")), "")
    patient = name.removesuffix("_dwi")
    if picai := _PICAI.fullmatch(name) if found.is_pair else None:
        patient, session = picai[1], session or picai[2]
    return NiftiStudy(
        name=found.name,
        kind="nifti",
        patient=f"{origin} {folders[0] if folders else patient}",
        day=session,
        one_of_several_days=True,
        left_out=found.left_out,
        images=found,
        row=row,
        b_values=options.b_values,
        form=options.nifti_form,
    )


def _by_image(
    rows: Sequence[TableRow], studies: Sequence[ImageStudy], source: Path
) -> dict[ImageStudy, TableRow]:
    found: dict[ImageStudy, TableRow] = {}
    for row in rows:
        wanted = {source / row.study, source / row.study.replace("\\", "/")} - {source}  # Windows' too
        named = [one for one in studies if not wanted.isdisjoint((*one.paths, *one.image.parents))]
        if len(named) != 1 or named[0] in found:
            problem = "the same image as another row" if len(named) == 1 else f"{len(named)} images"
            raise UserError(
                f"The row of the annotation table with study {row.study!r} names {problem} below {source}.",
                expected="for each row an image of its own, such as patient7/dwi.nii.gz, or its folder.",
                fix="correct the column 'study'; a dry run lists what was found.",
            )
        found[named[0]] = row
    return found
