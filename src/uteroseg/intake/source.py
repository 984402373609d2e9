"""Open a source, whatever it is: which studies it holds, and what else was found there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from uteroseg.annotations.regions import Choice
from uteroseg.dataset.skeleton import made_by_uteroseg
from uteroseg.dataset.store import Dataset
from uteroseg.dicom.archive import unpacked
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.files import files_below
from uteroseg.intake.images import find_images, holds_only_images, images_left_out
from uteroseg.intake.study import Incoming

if TYPE_CHECKING:
    from uteroseg.dicom.scan import Scan

_NNUNET = "dataset.json"
Kind = Literal["dicom", "nifti", "nnunet"]


@dataclass(frozen=True)
class Source:
    """What a source holds.

    Parameters
    ----------
    studies : sequence of Incoming
    unused : tuple of UserError
        Why annotation files belong to none of them.
    scan : Scan, optional
        All that was found in scanner files.
    notes : tuple of str
        What is to be said of the whole.
    original : Dataset, optional
        The dataset that was exported to what this is.
    folder : Path, optional
        Where it lies, if it is a folder.
    told : callable
        Gives a text that names files of an archive the names that they have in it.
    """

    studies: Sequence[Incoming] = ()
    unused: tuple[UserError, ...] = ()
    scan: Scan | None = None
    notes: tuple[str, ...] = ()
    original: Dataset | None = None
    folder: Path | None = None
    told: Callable[[str], str] = str


@contextmanager
def open_source(
    path: Path,
    *,
    annotations: Path | None = None,
    choice: Choice | None = None,
    register: bool = False,
    options: ReadOptions | None = None,
    label: str | None = None,
) -> Iterator[Source]:
    """Open a source for as long as its studies are read.

    Parameters
    ----------
    path : Path
        A folder or zip archive: scanner files; NIfTI or MetaImage; a raw dataset of nnU-Net or the Decathlon.
    annotations : Path, optional
        A table ``study,mask,label``; for DICOM also a file or folder of SEG and RTSTRUCT, which say
        themselves which study they belong to.
    choice : Choice, optional
        Which region of an annotation is the tumour, unless the table says it.
    register : bool
        DICOM: find how the patient moved between the series that was drawn on and the study.
    options : ReadOptions, optional
        How studies are read, where their files leave a choice.
    label : str, optional
        nnU-Net, Decathlon: the tumour's name in ``labels``, where there are several.

    Raises
    ------
    UserError
        If there is nothing to take, a table is wrong, or something is asked for that such files cannot give.
    """
    options, choice = options or ReadOptions(), choice or Choice()
    with unpacked(path) as archive:
        folder, origin = archive.folder, path.resolve().name
        if path.is_file():
            origin = path.resolve().stem
            folder = _packed_folder(folder, origin)
            origin = origin if folder == archive.folder else folder.name
        kind = kind_of(folder)
        _require_fitting(kind, path, annotations, register, options, label)
        if kind == "dicom":
            from uteroseg.intake.dicom import find_dicom

            studies, matches, scan = find_dicom(
                folder,
                annotations=annotations,
                choice=choice,
                options=options,
                register=register,
            )
            unused = tuple(map(archive.error_told, matches.unused)) if matches else ()
            yield Source(
                studies, unused, scan, matches.notes if matches else (), folder=path, told=archive.told
            )
        elif kind == "nifti":
            from uteroseg.annotations.table import Table, read_table
            from uteroseg.intake.nifti import find_nifti

            table = read_table(annotations, choice) if annotations else Table([])
            found = find_nifti(folder, table.rows, origin=origin, options=options)
            masks = [row.mask for row in table.rows if row.mask]
            notes = (*images_left_out(folder, [one.images for one in found], masks), *table.notes)
            yield Source(found, notes=notes, folder=path, told=archive.told)
        else:
            from uteroseg.intake.nnunet import find_nnunet
            from uteroseg.intake.original import original_in

            if original := original_in(folder):
                yield Source(original=original, folder=path)
                return
            cases = find_nnunet(folder, origin=origin, label=label, form=options.nifti_form)
            yield Source(cases, folder=path, told=archive.told)


def _packed_folder(folder: Path, name: str) -> Path:
    """The folder that was packed, where it is all that an archive holds: its name is no patient's."""
    inside = list(folder.iterdir()) if folder.is_dir() else []
    one = inside[0] if len(inside) == 1 else folder
    return one if one.is_dir() and (one.name == name or (one / "dataset.json").is_file()) else folder


def kind_of(source: Path) -> Kind:
    """What a source holds, from the names of its files.

    Raises
    ------
    UserError
        If it holds scanner files beside images of other programs, or is a dataset of ours.
    """
    if source.is_dir() and made_by_uteroseg(source):
        raise UserError(
            f"{source} is a dataset of uteroseg already.",
            expected="images that are not in a dataset yet.",
            fix="use it as it is, or copy the folder and its key.",
        )
    if not source.is_dir():
        return "dicom"
    if described := [
        path.parent for path in (source / _NNUNET, *source.glob(f"*/{_NNUNET}")) if path.is_file()
    ]:
        from uteroseg.intake.nnunet import is_nnunet  # scipy, which it needs, takes a tenth of a second

        raw = [folder for folder in described if is_nnunet(folder)]
        if source in raw:
            return "nnunet"
        if raw:
            raise UserError(
                f"{source} holds {len(raw)} raw datasets: {', '.join(sorted(one.name for one in raw)[:5])}.",
                expected="one raw dataset of nnU-Net or the Decathlon.",
                fix="name one of these folders.",
            )
    if not find_images(source):
        return "nifti" if holds_only_images(source) else "dicom"
    if any(path.suffix.lower() == ".dcm" for path in files_below(source)):
        raise UserError(
            f"{source} holds both scanner files (.dcm) and images of other programs.",
            expected="one of the two.",
            fix="name the folder of the scanner files, which tell more.",
        )
    return "nifti"


def _require_fitting(
    kind: Kind,
    path: Path,
    annotations: Path | None,
    register: bool,
    options: ReadOptions,
    label: str | None,
) -> None:
    """Refuse what was asked for and would be passed over."""
    asked = {
        "annotations": annotations is not None and kind == "nnunet",
        "register": register and kind != "dicom",
        "drop_incomplete": options.drop_incomplete and kind != "dicom",
        "align": options.align and kind != "dicom",
        "b_values": bool(options.b_values) and kind == "nnunet",
        "label": label is not None and kind != "nnunet",
    }
    if spare := [f"`{name}`" for name, is_spare in asked.items() if is_spare]:
        what = {
            "dicom": "scanner files",
            "nifti": "NIfTI images",
            "nnunet": "data of nnU-Net or the Decathlon",
        }
        raise UserError(
            f"{path} holds {what[kind]}, and for these {', '.join(spare)} means nothing.",
            expected="what such files leave open.",
            fix=f"leave out {', '.join(spare)}.",
        )
