"""Bicycles and motorcycles in side view, with or without a rider."""
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from isda_seg.demo_data.canvas import Canvas, colour, grey
from isda_seg.demo_data.figures import limb, ring
from isda_seg.demo_data.frame import Frame
from isda_seg.demo_data.labels import Label
from isda_seg.demo_data.people import paint_rider

RUBBER = (28, 28, 28)


def paint_bicycle(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a bicycle in side view: two thin wheels and a frame, ridden or parked."""
    tint = colour(rng, saturation=(0.6, 1), value=(0.5, 1))
    radius, spokes = 0.4, grey(rng, 120, 175)
    hubs = np.array([(-0.6, radius), (0.6, radius)])
    crank, saddle, bar = (-0.1, 0.32), (-0.25, 0.95), (0.45, 1.05)

    def part(outline: ArrayLike, shade: ArrayLike, label: Label | None = Label.BICYCLE) -> None:
        canvas.paint(frame.profile(*np.asarray(outline, float).T), shade, label)

    for hub in hubs:
        part(ring(hub, radius), RUBBER)
        part(ring(hub, 0.78 * radius), spokes, None)
        for angle in np.arange(4) * np.pi / 4:
            spoke = 0.78 * radius * np.array([np.cos(angle), np.sin(angle)])
            part(limb(hub - spoke, hub + spoke, 0.03), RUBBER, None)
    for start, end in ((hubs[0], crank), (crank, saddle), (crank, bar), (saddle, bar), (hubs[0], saddle),
                       (hubs[1], bar)):
        part(limb(start, end, 0.11), tint)
    part(limb(np.subtract(saddle, (0.16, 0)), np.add(saddle, (0.16, 0.03)), 0.1), RUBBER)
    part(limb(bar, np.add(bar, (-0.12, 0.1)), 0.09), RUBBER)
    if rng.random() < 0.5:
        paint_rider(canvas, rng, frame, (-0.25, 1.0), (0.36, 1.14), (0.0, 0.22))


def paint_motorcycle(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a motorcycle in side view: thick tyres, engine, tank and seat, ridden or parked."""
    tint = colour(rng, hue=(-0.1, 0.75), saturation=(0.7, 1), value=(0.4, 0.95))
    chrome, radius = grey(rng, 150, 215), 0.36
    hubs = np.array([(-0.75, radius), (0.8, radius)])

    def part(outline: ArrayLike, shade: ArrayLike, label: Label | None = Label.MOTORCYCLE) -> None:
        canvas.paint(frame.profile(*np.asarray(outline, float).T), shade, label)

    part([(-0.7, 0.3), (0.62, 0.3), (0.68, 0.75), (-0.75, 0.75)], (45, 45, 48))
    for hub in hubs:
        part(ring(hub, radius), RUBBER)
        part(ring(hub, 0.5 * radius), chrome, None)
    part(ring((0.0, 0.45), 0.26), chrome, None)
    part(limb((-1.0, 0.32), (0.1, 0.3), 0.13), chrome)
    part(limb(hubs[1], (0.5, 1.1), 0.14), chrome)
    part([(0.0, 0.68), (0.5, 0.62), (0.62, 0.98), (0.35, 1.08), (0.0, 0.9)], tint)
    part([(-1.05, 0.78), (-0.75, 0.6), (-0.4, 0.68), (-0.5, 0.95), (-1.05, 0.98)], tint)
    part(limb((-0.7, 0.93), (0.05, 0.88), 0.16), RUBBER)
    part([(0.5, 0.9), (0.78, 0.88), (0.6, 1.3), (0.48, 1.2)], tint)
    part(limb((0.3, 1.18), (0.58, 1.12), 0.1), RUBBER)
    if rng.random() < 0.5:
        paint_rider(canvas, rng, frame, (-0.25, 1.0), (0.36, 1.2), (0.02, 0.3))
