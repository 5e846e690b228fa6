"""Cars, trucks, buses and trams."""
import numpy as np
from numpy.random import Generator

from isda_seg.demo_data.bodywork import (
    ENDS,
    GLASS,
    RED_LAMP,
    RUBBER,
    SIDES,
    WHITE_LAMP,
    paint_lamps,
    paint_panes,
    paint_parts,
    paint_shadow,
    paint_wheels,
)
from isda_seg.demo_data.canvas import Canvas, colour, grey
from isda_seg.demo_data.frame import Box, Frame, paint_box
from isda_seg.demo_data.labels import Label


def paint_car(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a car: low body, tapered cabin with dark glass."""
    length, half, waist = rng.uniform(3.8, 4.7), rng.uniform(0.85, 0.95), rng.uniform(0.85, 1.0)
    roof = waist + rng.uniform(0.5, 0.7)
    tint = colour(rng) if rng.random() < 0.6 else grey(rng, 40, 235)
    start = -length / 2 + rng.uniform(0.1, 0.5)
    body = Box((-length / 2, length / 2), (0.3, waist), (-half, half), (0.08, 0.04))
    cabin = Box((start, length * rng.uniform(0.2, 0.28)), (waist, roof), (-half + 0.04, half - 0.04), (0.4, 0.15))
    paint_shadow(canvas, frame, length, 2 * half)
    paint_box(canvas, frame, Box((-length / 2, length / 2), (0.15, 0.32), (-half, half)), RUBBER, Label.CAR)
    faces = paint_box(canvas, frame, body, tint, Label.CAR)
    upper = paint_box(canvas, frame, cabin, tint, Label.CAR)
    paint_panes(canvas, upper, SIDES, 2, 0.08, 0.88, GLASS, margin=0.06, gap=0.1)
    paint_panes(canvas, upper, ENDS, 1, 0.08, 0.9, GLASS, margin=0.02)
    paint_wheels(canvas, faces, length, waist - 0.3, 0.3, (0.18, 0.81), 0.34, Label.CAR)
    paint_lamps(canvas, faces, 0.5, 0.85)
    if 'front' in faces:
        canvas.paint(faces['front'][0].patch(0.28, 0.72, 0.25, 0.6), RUBBER)
    if 'rear' in faces:
        canvas.paint(faces['rear'][0].patch(0.36, 0.64, 0.3, 0.55), (225, 235, 235))


def paint_truck(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a lorry: tall plain cargo box, separate lower cab, open chassis with big wheels."""
    length, half, top = rng.uniform(6.5, 8.5), 1.25, rng.uniform(3.2, 3.8)
    cargo_tint = grey(rng, 170, 240) if rng.random() < 0.6 else colour(rng, saturation=(0.3, 0.8))
    cab_tint = colour(rng, value=(0.5, 1))
    rear, front = -length / 2, length / 2
    paint_shadow(canvas, frame, length, 2 * half)
    chassis, cargo, cab = paint_parts(canvas, frame, Label.TRUCK, [
        (Box((rear, front), (0.35, 0.95), (-half + 0.1, half - 0.1)), (48, 46, 44)),
        (Box((rear, front - 2.1), (0.95, top), (-half, half)), cargo_tint),
        (Box((front - 1.9, front), (0.55, top - 0.7), (-half + 0.05, half - 0.05), (0.12, 0.05)), cab_tint)])
    paint_wheels(canvas, chassis, length, 0.6, 0.35, (0.12, 0.27, 0.86), 0.52, Label.TRUCK)
    paint_panes(canvas, cargo, SIDES, 9, 0.03, 0.97, 0.86 * cargo_tint, margin=0, gap=0.75)
    paint_panes(canvas, cargo, ('rear',), 2, 0.04, 0.97, 0.9 * cargo_tint, margin=0.02, gap=0.08)
    logo, left = colour(rng), rng.uniform(0.15, 0.35)
    for name in SIDES:
        if name in cargo:
            canvas.paint(cargo[name][0].patch(left, left + 0.45, 0.35, 0.65), logo * cargo[name][1])
    paint_panes(canvas, cab, ('front',), 1, 0.5, 0.88, GLASS, margin=0.04)
    paint_panes(canvas, cab, SIDES, 1, 0.5, 0.85, GLASS, margin=0.2)
    paint_lamps(canvas, chassis, 0.3, 0.75, size=0.2)
    if 'rear' in chassis:
        canvas.paint(chassis['rear'][0].patch(0.28, 0.72, 0.35, 0.7), (40, 190, 240))
    if 'front' in cab:
        canvas.paint(cab['front'][0].patch(0.15, 0.85, 0.12, 0.36), RUBBER)


def paint_bus(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a bus: one saturated colour, a band of wide windows, wheels, a lit destination panel."""
    length, half, top = rng.uniform(8, 11), 1.25, rng.uniform(2.9, 3.3)
    tint = colour(rng, saturation=(0.65, 1), value=(0.6, 1))
    paint_shadow(canvas, frame, length, 2 * half)
    faces = paint_box(canvas, frame, Box((-length / 2, length / 2), (0.3, top), (-half, half), (0.06, 0.08)),
                      tint, Label.BUS)
    paint_panes(canvas, faces, SIDES, int(rng.integers(5, 8)), 0.42, 0.82, GLASS, gap=0.12)
    paint_panes(canvas, faces, SIDES, 1, 0.22, 0.28, (235, 235, 235), margin=0, gap=0)
    paint_panes(canvas, faces, ('front',), 1, 0.32, 0.82, GLASS, margin=0.05, gap=0)
    paint_panes(canvas, faces, ('rear',), 1, 0.5, 0.8, GLASS, margin=0.12, gap=0)
    paint_wheels(canvas, faces, length, top - 0.3, 0.3, (0.2, 0.78), 0.5, Label.BUS)
    paint_lamps(canvas, faces, 0.08, 0.16)
    for name in ENDS:
        if name in faces:
            canvas.paint(faces[name][0].patch(0.25, 0.75, 0.86, 0.96), (30, 170, 250))


def paint_tram(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a tram: cream above, strong colour below, skirts down to the rails, dark joints, roof equipment."""
    length, half, top = rng.uniform(12, 16), 1.2, rng.uniform(3.2, 3.6)
    lower = colour(rng, hue=(-0.05, 0.4), saturation=(0.7, 1), value=(0.5, 0.85))
    cream = np.array([205, 232, 240]) * rng.uniform(0.9, 1.04)
    box = Box((-length / 2, length / 2), (0.15, top), (-half, half), (0.25, 0.1))
    paint_shadow(canvas, frame, length, 2 * half)
    faces = paint_box(canvas, frame, box, cream, Label.TRAIN)
    paint_box(canvas, frame, Box((-length / 4, length / 4), (top, top + 0.35), (-0.7, 0.7)), (95, 95, 95), Label.TRAIN)
    for name in SIDES + ENDS:
        if name in faces:
            face, brightness = faces[name]
            canvas.paint(face.patch(0, 1, 0.08, 0.42), lower * brightness)
            canvas.paint(face.patch(0, 1, 0, 0.08), RUBBER)
            canvas.paint(face.patch(0, 1, 0.92, 1), lower * brightness)
    paint_panes(canvas, faces, SIDES, 12, 0.5, 0.84, GLASS, gap=0.35)
    paint_panes(canvas, faces, SIDES, 2, 0.06, 1, RUBBER, margin=1 / 6, gap=0.94)
    paint_panes(canvas, faces, ENDS, 1, 0.46, 0.88, GLASS, margin=0.08, gap=0)
    for name in ENDS:
        if name in faces:
            canvas.paint(faces[name][0].ellipse(0.5, 0.26, 0.13, 0.09), WHITE_LAMP if name == 'front' else RED_LAMP)
    mast = frame.profile(np.array([0, 0.9, 1.0, 0.12]) - length / 6, top + np.array([0, 1.1, 1.1, 0]))
    canvas.paint(mast, (60, 60, 60), Label.TRAIN)
