"""Pedestrians and riders, as flat figures on one plane."""
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from isda_seg.demo_data.canvas import Canvas, Pair, colour, grey
from isda_seg.demo_data.figures import limb, ring
from isda_seg.demo_data.frame import Frame
from isda_seg.demo_data.labels import Label


def _skin(rng: Generator) -> np.ndarray:
    return colour(rng, hue=(0.04, 0.09), saturation=(0.3, 0.6), value=(0.4, 0.98))


def _cloth(rng: Generator) -> np.ndarray:
    return colour(rng, saturation=(0.4, 1), value=(0.3, 1)) if rng.random() < 0.7 else grey(rng, 25, 220)


def paint_person(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a standing or walking person."""
    size, stride = rng.uniform(0.95, 1.15), rng.uniform(0.05, 0.32)
    trousers, coat, skin, hair = grey(rng, 20, 90), _cloth(rng), _skin(rng), grey(rng, 15, 90)
    if rng.random() < 0.4:
        trousers = colour(rng, hue=(0.55, 0.7), value=(0.25, 0.6))
    swing = stride * rng.uniform(0.5, 1.2)

    def part(outline: ArrayLike, tint: ArrayLike) -> None:
        across, up = size * np.asarray(outline, float).T
        canvas.paint(frame.upright(across, up), tint, Label.PERSON)

    part(limb((-stride, 0), (-0.07, 0.88), 0.2), 0.85 * trousers)
    part(limb((stride, 0), (0.07, 0.88), 0.2), trousers)
    part(limb((-0.22, 1.4), (-0.28 - swing, 0.85), 0.13), 0.8 * coat)
    part(limb((0.22, 1.4), (0.28 + swing, 0.85), 0.13), 0.9 * coat)
    part([(-0.2, 0.78), (0.2, 0.78), (0.27, 1.45), (0.1, 1.53), (-0.1, 1.53), (-0.27, 1.45)], coat)
    part(ring((0, 1.68), 0.14, 0.17), hair)
    part(ring((0.02, 1.65), 0.11, 0.13), skin)


def paint_rider(canvas: Canvas, rng: Generator, frame: Frame, seat: Pair, hands: Pair, feet: Pair) -> None:
    """Paint a sitting person with bent knees, a leaning torso, usually in a bright jacket, and a helmet.

    ``seat``, ``hands`` and ``feet`` are (along, up).
    """
    trousers, skin = grey(rng, 20, 90), _skin(rng)
    coat = colour(rng, (0.03, 0.2), (0.8, 1), (0.8, 1)) if rng.random() < 0.6 else _cloth(rng)
    helmet = colour(rng, saturation=(0.7, 1), value=(0.7, 1))
    shoulder = np.add(seat, (0.3, 0.58))
    knee = np.add(np.add(seat, feet) / 2, (0.22, 0.12))

    def part(outline: ArrayLike, tint: ArrayLike) -> None:
        canvas.paint(frame.profile(*np.asarray(outline, float).T), tint, Label.RIDER)

    part(limb(seat, knee, 0.23), trousers)
    part(limb(knee, feet, 0.18), 0.85 * trousers)
    part(limb(np.subtract(seat, (0, 0.06)), shoulder, 0.42), coat)
    part(limb(shoulder, hands, 0.15), 0.8 * coat)
    head = shoulder + (0.08, 0.27)
    part(ring(head, 0.15, 0.18), skin)
    part(ring(head + (-0.02, 0.07), 0.19, 0.15), helmet)
