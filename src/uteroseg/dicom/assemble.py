"""Series → `DwiStudy`: the images of one diffusion acquisition in order, the scanner's ADC beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from uteroseg.dicom.acquisition import acquisition
from uteroseg.dicom.adc import adc_beside, load_adc
from uteroseg.dicom.bvalues import merge
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.described import DESCRIPTION, USER, assign_by_order, described_b_values
from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.pairs import high_b_of
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.read_options import ReadOptions as ReadOptions
from uteroseg.dicom.scan import Series
from uteroseg.dicom.source_images import SourceImages
from uteroseg.dicom.stack import Stack, arrange, is_directional, spare_directions
from uteroseg.errors import UserError
from uteroseg.imaging.derived import study_of_map
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import ADC_LEFT_OUT, REPETITIONS, DwiStudy


def load_study(series: Sequence[Series], options: ReadOptions | None = None) -> DwiStudy:
    """Load one diffusion acquisition.

    Parameters
    ----------
    series : sequence of Series
        The DWI series of the acquisition and, if there is one, the scanner's ADC map on the same grid; or one
        series of high b, which may be calculated, and the map. `FoundStudy.used` is made for this.
    options : ReadOptions, optional

    Returns
    -------
    DwiStudy
        Signal is rescaled per image (PS3.3 C.11.1). Several directions at one b-value are combined to the
        trace image by geometric mean. Slices ascend along ``geometry.normal``. The scanner's ADC is in
        10⁻³ mm²/s; how its unit is told, see `uteroseg.imaging.derived.adc_factor`. A map that cannot be used
        is left out, and the acquisition says why; beside a single b-value it must be whole, since the image
        at b 0 is computed from it (`uteroseg.imaging.derived.study_of_map`).

    Raises
    ------
    UserError
        If a file is unreadable or truncated, a b-value is unknown, an image is missing or there twice, or
        grids are mixed.
    """
    options = options or ReadOptions()
    dwi = of_kind(series, SeriesKind.DWI) or of_kind(series, SeriesKind.CALCULATED_B)
    maps = of_kind(series, SeriesKind.ADC)
    if len(maps) > 1:
        raise UserError(
            f"There are several ADC maps: {', '.join(s.name for s in maps)}.",
            expected="at most one for a diffusion acquisition.",
            fix="choose one of them.",
        )
    stack = stack_of(dwi, options)
    if maps and (len(stack.b_values) == 1 or dwi[0].kind is SeriesKind.CALCULATED_B):
        return _study_of_pair(dwi, stack, maps[0])
    fields, scanner_adc = _acquisition(dwi, stack), None
    if maps:
        scanner_adc, left_out = adc_beside(maps[0], stack.geometry)
        fields |= {ADC_LEFT_OUT: left_out} if left_out else {}
    study = DwiStudy(
        signal=_signal(stack),
        b_values=stack.b_values,
        geometry=stack.geometry,
        scanner_adc=scanner_adc,
        acquisition=fields,
        adc_b_min=options.adc_b_min,
        source=SourceImages.of_stack(stack, dwi),
    )
    if not options.align:
        return study
    from uteroseg.imaging.align import align  # scipy's optimiser takes a quarter second to import

    aligned, record = align(study)
    return replace(aligned, acquisition={**study.acquisition, "alignment": record})


def _study_of_pair(image: Sequence[Series], stack: Stack, adc_map: Series) -> DwiStudy:
    """The study of one image of high b and the scanner's ADC map."""
    refuse_unreadable([adc_map])
    what = f"{names_of(image)} and ADC map {adc_map.name}"
    adc, geometry = load_adc(adc_map)
    fix = "add the images of the other b-values, or export the two of one acquisition."
    geometry.require_same(stack.geometry, what=what, fix=fix)
    if image[0].frame_of_reference_uid != adc_map.frame_of_reference_uid:
        raise UserError(
            f"{what} lie in two frames of reference.", expected="one, so that they show one place.", fix=fix
        )
    b_value = high_b_of(stack.b_values)
    high = replace(stack, b_values=(b_value,), cells=(stack.cells[stack.b_values.index(b_value)],))
    study = study_of_map(_signal(high)[0], b_value, adc, geometry, _acquisition(image, high), what=what)
    return replace(study, source=SourceImages.of_stack(high, image))


def stack_of(dwi: Sequence[Series], options: ReadOptions) -> Stack:
    """Put the images of an acquisition's DWI series in their places; raises as `load_study` does."""
    if not dwi:
        raise UserError(
            "There is no diffusion series.",
            expected="at least one series of diffusion-weighted images.",
            fix="add the series with the b-values.",
        )
    if not options.drop_incomplete:
        refuse_unreadable(dwi)
    frames = _without_spare_directions([_frames_with_b(one, options.b_values) for one in dwi])
    if not frames:
        raise UserError(
            f"{names_of(dwi)} has no images.",
            expected="images with a b-value.",
            fix="export the series again, whole.",
        )
    _refuse_unknown_b(frames, dwi)
    return arrange(frames, what=names_of(dwi), drop_incomplete=options.drop_incomplete)


def source_images(dwi: Sequence[Series], options: ReadOptions | None = None) -> SourceImages:
    """The images that a diffusion study's slices came from; raises as `load_study` does."""
    return SourceImages.of_stack(stack_of(dwi, options or ReadOptions()), dwi)


def _without_spare_directions(by_series: Sequence[Sequence[Frame]]) -> list[Frame]:
    """The images of all series, series of directions last and without what `spare_directions` names."""
    by_series = sorted(by_series, key=is_directional)
    b_of = merge([f.b_value.value for frames in by_series for f in frames if f.b_value])
    b_values = [{b_of[f.b_value.value] for f in frames if f.b_value} for frames in by_series]
    spare = spare_directions(list(zip(b_values, map(is_directional, by_series), strict=True)))
    return [
        frame
        for frames, left_out in zip(by_series, spare, strict=True)
        for frame in frames
        if not (frame.b_value and b_of[frame.b_value.value] in left_out)
    ]


def _frames_with_b(series: Series, b_values: Sequence[float]) -> Sequence[Frame]:
    """The images of a series; where no header holds a b-value, those of the user or the description."""
    frames = frames_of(series)
    if not frames or any(frame.b_value for frame in frames):
        return frames
    listed, source = (
        (tuple(b_values), USER) if b_values else (described_b_values(series.description), DESCRIPTION)
    )
    return assign_by_order(frames, listed, source=source, what=series.name) if listed else frames


def refuse_unreadable(series: Sequence[Series]) -> None:
    """Raise a UserError that names the first unreadable file of any series."""
    for one in series:
        for file in one.unreadable:
            more = f" ({len(one.unreadable)} such files)" if len(one.unreadable) > 1 else ""
            raise UserError(
                f"{file.path} cannot be read: {file.reason}{more}. "
                f"It belongs, or could belong, to {one.name}.",
                expected="every file of the series whole.",
                fix="copy or export the file again; remove it if it belongs elsewhere.",
            )


def of_kind(series: Sequence[Series], kind: SeriesKind) -> tuple[Series, ...]:
    """Return the series of one kind."""
    return tuple(one for one in series if one.kind is kind)


def names_of(series: Sequence[Series]) -> str:
    """Name series to a person."""
    return ", ".join(one.name for one in series)


def _refuse_unknown_b(frames: Sequence[Frame], dwi: Sequence[Series]) -> None:
    unknown = [frame for frame in frames if frame.b_value is None]
    if unknown:
        raise UserError(
            f"The b-value of {len(unknown)} of {len(frames)} images of {names_of(dwi)} is nowhere in their "
            f"headers, first of {unknown[0].file}.",
            expected="a b-value in the standard attribute or in the vendor's own.",
            fix="name them in the order of acquisition (`b_values`), or export the series with its "
            "private attributes.",
        )


def _signal(stack: Stack) -> Array:
    """Decode into (b-values, slices, rows, columns), float32; several directions by geometric mean."""
    place = {
        id(frame): (b, s) for b, row in enumerate(stack.cells) for s, cell in enumerate(row) for frame in cell
    }
    signal = np.zeros((len(stack.b_values), *stack.geometry.shape), np.float32)
    every = [frame for row in stack.cells for cell in row for frame in cell]
    for frame, image in rescaled(every, comparable=True):
        b, s = place[id(frame)]
        count = len(stack.cells[b][s])
        if count == 1:
            signal[b, s] = image
        else:
            with np.errstate(divide="ignore"):  # no signal in one direction: no signal in the trace
                signal[b, s] += np.log(np.maximum(image, 0)) / np.float32(count)
    for b, row in enumerate(stack.cells):
        several = [s for s, cell in enumerate(row) if len(cell) > 1]
        signal[b, several] = np.exp(signal[b, several])
    return signal


def _acquisition(dwi: Sequence[Series], stack: Stack) -> dict[str, Any]:
    fields = {**acquisition(dwi[0].headers[0]), "b_value_source": b_value_source(stack)}
    if repeats := _repetitions(stack):
        fields[REPETITIONS] = {f"{b:g}": count for b, count in repeats.items()}
    if stack.left_out:
        fields["b_values_left_out"] = {f"{b:g}": reason for b, reason in stack.left_out.items()}
    if dwi[0].kind is SeriesKind.CALCULATED_B:
        fields["b_value_source"] += "; the image was calculated"
    if unreadable := sum(len(one.unreadable) for one in dwi):
        fields["unreadable_files_left_out"] = unreadable
    return fields


def _repetitions(stack: Stack) -> dict[float, int]:
    """b-values of which each image is made of several of one direction, and of how many."""
    counts = {
        b: max(len(cell) - len({frame.direction for frame in cell}) + 1 for cell in row)
        for b, row in zip(stack.b_values, stack.cells, strict=True)
    }
    return {b: count for b, count in counts.items() if count > 1}


def b_value_source(stack: Stack) -> str:
    """Where the b-values were found, for people."""
    sources = [frame.b_value.source for row in stack.cells for cell in row for frame in cell if frame.b_value]
    return "; ".join(dict.fromkeys(sources))
