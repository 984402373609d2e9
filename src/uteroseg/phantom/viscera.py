"""Soft organs around the uterus: bladder, rectum and bowel, vagina, ovaries, free fluid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.pelvis import SIDES, Coat, Organ
from uteroseg.phantom.septa import Threads
from uteroseg.phantom.shapes import Ellipsoid, Grown, Rough, Tube, Waves, Without
from uteroseg.phantom.uterus import Uterus

_CONTENTS = ("gas", "stool", "bowel mucus", "bowel fluid")


def bowel(rng: np.random.Generator) -> Iterator[Organ]:
    """Loops of small bowel, many of them collapsed, and the sigmoid above the pelvic organs."""
    for _ in range(int(rng.integers(64, 86))):
        start = np.array([rng.uniform(-82, 82), rng.uniform(-76, 26), rng.uniform(32, 135)])
        turns = np.cumsum(rng.normal(0, 1, (3, 3)) * [17, 12, 9], axis=0)
        line = _within_cavity(_smooth(np.vstack([start, start + turns])))
        if rng.random() < 0.5:
            yield _loop(line, rng.uniform(0.8, 2.0), "bowel mucus", rng)
        else:
            yield _loop(
                line, rng.uniform(3.5, 8), str(rng.choice(_CONTENTS, p=(0.12, 0.06, 0.46, 0.36))), rng
            )
    sigmoid = np.array([[0, 52, 40], [18, 30, 55], [35, 5, 48], [52, 5, 75]]) * [rng.choice(SIDES), 1, 1]
    line = _smooth(sigmoid + rng.normal(0, 6, sigmoid.shape))
    yield _loop(line, rng.uniform(4, 9), str(rng.choice(_CONTENTS, p=(0.3, 0.3, 0.3, 0.1))), rng)


def rectum(rng: np.random.Generator) -> Iterator[Organ]:
    """Anal canal and rectum in front of the sacrum."""
    line = np.array([[0, 34, -78], [0, 40, -62], [0, 52, -40], [0, 60, -14], [0, 58, 14], [0, 50, 40]], float)
    line[2:] += rng.normal(0, 3, (4, 3))
    line[3:5, 0] += np.array([1.0, -0.6]) * rng.normal(0, 5)
    wide = rng.uniform(8, 17)
    radii = np.array([9, 9, 0.8 * wide, wide, 0.85 * wide, 0.9 * wide])
    mesorectum = Tube(line[2:] + np.array([0, 3, 0]), radii[2:] + rng.uniform(7, 12), 1.2)
    fat = Rough(mesorectum, Waves.draw(rng, length_mm=30), 1.5)
    vessels = Threads.draw(rng, "vessel", length_mm=20, radius_mm=0.6)
    yield Organ("cavity", fat, Coat("septum", 0.8), (vessels,))
    wall = Tube(line, radii, 1.15)
    yield Organ("bowel wall", Rough(wall, Waves.draw(rng, length_mm=20), 1.0))
    yield Organ("muscle", Tube(line[:2], np.array([10.0, 9.0])))
    yield Organ("bowel mucus", Tube(line[:3], np.array([2.0, 2.5, 3.0])))
    content = rng.choice(_CONTENTS, p=(0.30, 0.25, 0.35, 0.1))
    lumen = Tube(line[2:], np.maximum(radii[2:] - rng.uniform(3, 5), 2), 1.15)
    yield Organ(str(content), Rough(lumen, Waves.draw(rng, length_mm=14), 1.8))


def bladder_ml(rng: np.random.Generator) -> float:
    """Draw how full the bladder is, from just voided to full: log-uniform, 12–420 mL (general)."""
    return float(np.exp(rng.uniform(np.log(12), np.log(420))))


def fullness(volume_ml: float) -> float:
    """Of a bladder: 0 empty to 1 full."""
    return float(np.clip((volume_ml - 12) / 408, 0, 1))


def bladder(rng: np.random.Generator, volume_ml: float, uterus: Uterus) -> Iterator[Organ]:
    """The bladder behind the symphysis, flat when empty, indented by the uterus, with wall and urethra."""
    full = fullness(volume_ml)
    shape = np.array([1.45 - 0.45 * full, 1.0 - 0.12 * full, 0.62 + 0.62 * full]) * rng.uniform(0.93, 1.07, 3)
    radii = shape * (volume_ml * 1000 / (4.19 * float(np.prod(shape)))) ** (1 / 3)
    wall = rng.uniform(2.5, 4.0) * (1.6 - full**0.5)
    centre = np.array([rng.normal(0, 3), -46 + 0.28 * radii[1] + rng.normal(0, 3), -47 + radii[2]])
    tilt = np.radians(rng.uniform(10, 40) * (1 - full))
    axes = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    dome = Ellipsoid(centre, radii, axes, taper=-0.3)
    whole = Rough(dome, Waves.draw(rng, length_mm=45), 0.07 * float(radii.min()))
    lumen = Without(whole, Grown(uterus.corpus, wall + 1))
    urethra = np.array([centre - [0, 0, radii[2]], [centre[0], -36, -80]])
    yield Organ("bladder wall", Tube(urethra, np.array([6.0, 5.5])))
    yield Organ("bladder wall", Grown(lumen, wall))
    yield Organ("urine", lumen)


def parametria(rng: np.random.Generator, uterus: Uterus) -> Iterator[Organ]:
    """Loose tissue beside cervix and lower corpus, full of small veins, and larger veins in it."""
    for side in SIDES:
        root = uterus.cervix_centre + np.array([side * 22, 2, 4])
        wing = Ellipsoid(root, np.array([18.0, 9, 15]) * rng.uniform(0.8, 1.25, 3))
        horn = uterus.corpus_centre + np.array([side * 30, 4, -8])
        broad = Tube(np.array([root, horn]), np.array([8.0, 6]))
        for shape in (wing, broad):
            yield Organ("parametrium", Rough(shape, Waves.draw(rng, length_mm=14), 2.0))
        for _ in range(int(rng.integers(2, 6))):
            line = root + np.cumsum(rng.normal(0, 7, (4, 3)), axis=0)
            yield Organ("vessel", Tube(line, rng.uniform(1.2, 2.4, 4)))


def vagina(uterus: Uterus) -> Iterator[Organ]:
    """A flat tube from the introitus to around the external os."""
    os = uterus.external_os
    line = np.array([[0, -20, -80], [os[0] / 2, -8 + os[1] / 3, -60], os + np.array([0, 4, -4])])
    yield Organ("vagina", Tube(line, np.array([5.5, 5.5, 8.0]), 2.0))
    yield Organ("cervical canal", Tube(line, np.array([1.0, 1.0, 1.2]), 4.0))


def ovaries(rng: np.random.Generator, *, fertile: bool) -> Iterator[Organ]:
    """Two ovaries, with follicles before the menopause; at times a cyst, simple, thick or of blood."""
    for side in SIDES:
        centre = np.array([side * rng.uniform(30, 46), rng.uniform(-8, 25), rng.uniform(12, 40)])
        radii = rng.uniform(0.8, 1.25) * np.array([9.0, 11.0, 14.0]) * (1.0 if fertile else 0.65)
        yield Organ("ovary", Rough(Ellipsoid(centre, radii), Waves.draw(rng, length_mm=15), 0.8))
        for _ in range(int(rng.integers(3, 9)) if fertile else int(rng.integers(0, 2))):
            place = centre + rng.uniform(-0.7, 0.7, 3) * radii
            yield Organ("follicle", Ellipsoid(place, np.full(3, rng.lognormal(np.log(2.6), 0.4))))
        chances = (0.78, 0.11, 0.05, 0.06) if fertile else (0.90, 0.08, 0.01, 0.01)
        kind = str(rng.choice(("", "follicle", "proteinaceous cyst", "blood"), p=chances))
        if kind:
            size = float(np.clip(rng.lognormal(np.log(13), 0.4), 7, 32)) * rng.uniform(0.8, 1.2, 3)
            place = centre + [side * 0.3, 0, 0.4] * size
            yield Organ("ovary", Ellipsoid(place, size + 1.5))
            yield Organ(kind, Rough(Ellipsoid(place, size), Waves.draw(rng, length_mm=25), 0.8))


def free_fluid(rng: np.random.Generator, uterus: Uterus) -> Iterator[Organ]:
    """A little fluid in the pouch of Douglas in four of ten patients."""
    if rng.random() < 0.5:
        place = uterus.internal_os * [1, 0, 1] + [0, 30, rng.uniform(-12, 0)]
        pool = Ellipsoid(place, np.array([rng.uniform(10, 28), rng.uniform(3, 8), rng.uniform(5, 14)]))
        yield Organ("fluid", Rough(pool, Waves.draw(rng, length_mm=22), 1.5))


def vulva(rng: np.random.Generator) -> Iterator[Organ]:
    """A Bartholin cyst beside the introitus, one in twelve, at times with thick content."""
    if rng.random() < 1 / 12:
        content = "proteinaceous cyst" if rng.random() < 0.5 else "nabothian cyst"
        place = np.array([rng.choice(SIDES) * rng.uniform(12, 18), rng.uniform(-20, -10), -80])
        yield Organ(content, Ellipsoid(place, rng.uniform(6, 13) * rng.uniform(0.8, 1.2, 3)))


def _loop(line: Array, radius: float, content: str, rng: np.random.Generator) -> Organ:
    """A piece of gut: content of a given radius with folds, and the wall around it."""
    lumen = Tube(line, radius * rng.uniform(0.7, 1.3, len(line)))
    folded = Rough(lumen, Waves.draw(rng, length_mm=9), min(0.8, 0.25 * radius))
    return Organ(content, folded, Coat("bowel wall", rng.uniform(1.8, 3.0)))


def _smooth(line: Array) -> Array:
    """Cut the corners of a line (one round of Chaikin's scheme)."""
    near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
    return np.vstack([line[:1], np.stack([near, far], axis=1).reshape(-1, 3), line[-1:]])


def _within_cavity(line: Array) -> Array:
    """Bring a loop's line back into the abdominal cavity, an oval that fits the thinnest patient."""
    middle, radii = np.array([0.0, -22]), np.array([86.0, 48])
    outside = np.linalg.norm((line[:, :2] - middle) / radii, axis=1, keepdims=True)
    kept = middle + (line[:, :2] - middle) / np.maximum(outside, 1)
    return np.column_stack([kept, line[:, 2]])
