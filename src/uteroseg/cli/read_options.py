"""Options that say how DICOM studies are read, shared by the verbs that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.dicom.read_options import ReadOptions

BValues = Annotated[
    str | None,
    typer.Option(help="b-values in the order of acquisition ('0,500,1000'), where no header holds them."),
]
DropIncomplete = Annotated[
    bool,
    typer.Option(
        "--drop-incomplete", help="Leave out b-values with missing or double slices, not the whole study."
    ),
]
Align = Annotated[
    bool, typer.Option("--align", help="Align the images of the b-values in plane, against motion.")
]
AdcBMin = Annotated[
    float, typer.Option(help="Leave images of lower b-values (s/mm²) out of the ADC fit.", min=0)
]

Form = Literal["qform", "sform"]
NiftiForm = Annotated[
    Form | None,
    typer.Option(help="Which place counts, where the two in a NIfTI header differ or none is declared."),
]


def read_options(
    b_values: str | None,
    drop_incomplete: bool,
    align: bool,
    adc_b_min: float,
    nifti_form: Form | None = None,
) -> ReadOptions:
    """How studies are to be read; raises UserError where the b-values are none."""
    from uteroseg.dicom.read_options import ReadOptions

    return ReadOptions(numbers_of(b_values), drop_incomplete, align, adc_b_min, nifti_form)


def numbers_of(text: str | None) -> tuple[float, ...]:
    """b-values as they were typed; raises UserError where they are none."""
    try:
        values = tuple(float(number) for number in text.split(",")) if text else ()
    except ValueError:
        values = (-1.0,)
    if len(set(values)) != len(values) or any(value < 0 for value in values):
        raise UserError(
            f"--b-values is {text!r}.", expected="numbers such as 0,500,1000.", fix="correct --b-values."
        )
    return values
