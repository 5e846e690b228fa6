"""Street furniture: poles with lamps, traffic lights and signs, and railings."""
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from isda_seg.demo_data.canvas import Canvas, colour, grey
from isda_seg.demo_data.figures import polygon
from isda_seg.demo_data.frame import Face, Frame
from isda_seg.demo_data.labels import Label

BLACK, WHITE = (32, 32, 32), (238, 238, 238)
RED, BLUE, YELLOW = (40, 35, 205), (190, 95, 25), (40, 205, 245)


def _bar(canvas: Canvas, frame: Frame, left: float, right: float, low: float, high: float, tint: ArrayLike,
         label: Label | None) -> None:
    """Paint an upright rectangle."""
    canvas.paint(frame.upright([left, right, right, left], [low, low, high, high]), tint, label)


def _pole(canvas: Canvas, rng: Generator, frame: Frame, height: float, width: float = 0.34) -> None:
    """Paint a vertical pole, lit on one side."""
    tint = grey(rng, 40, 85)
    _bar(canvas, frame, -width / 2, width / 2, 0, height, tint, Label.POLE)
    _bar(canvas, frame, -width / 2, -width / 6, 0, height, 1.5 * tint, None)


def paint_lamp_post(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a tall pole with an arm over the road and a lamp at its end."""
    height, reach = rng.uniform(5.5, 7.5), -np.sign(frame.x) * rng.uniform(1.2, 2)
    _pole(canvas, rng, frame, height, 0.42)
    _bar(canvas, frame, min(0, reach), max(0, reach), height - 0.2, height, (70, 70, 70), Label.POLE)
    _bar(canvas, frame, reach - 0.35, reach + 0.35, height - 0.35, height - 0.1, (190, 215, 225), Label.POLE)


def paint_traffic_light(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a dark box with three lamps, one of them lit, on a pole."""
    height, half, low = rng.uniform(1.5, 1.9), rng.uniform(0.34, 0.42), rng.uniform(2.0, 2.6)
    _pole(canvas, rng, frame, low + height)
    if rng.random() < 0.4:
        _bar(canvas, frame, -half - 0.1, half + 0.1, low - 0.1, low + height + 0.1, YELLOW, Label.TRAFFIC_LIGHT)
    _bar(canvas, frame, -half, half, low, low + height, BLACK, Label.TRAFFIC_LIGHT)
    lit = rng.integers(3)
    for index, tint in enumerate(((70, 230, 60), (30, 190, 250), (40, 40, 245))):
        disc = polygon(10, 0.68 * half) + (0, low + height * (index + 0.5) / 3)
        canvas.paint(frame.upright(*disc.T), tint if index == lit else 0.3 * np.array(tint))


def paint_traffic_sign(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a prohibition, warning, give-way, stop or direction sign on a pole."""
    radius, height = rng.uniform(0.6, 0.82), rng.uniform(2.2, 2.9)
    layers = [
        ((24, 1.0, RED, 0), (24, 0.7, WHITE, 0)),
        ((3, 1.15, RED, 0), (3, 0.7, WHITE, 0)),
        ((3, 1.15, RED, np.pi), (3, 0.7, WHITE, np.pi)),
        ((8, 1.0, WHITE, np.pi / 8), (8, 0.9, RED, np.pi / 8)),
        ((24, 1.0, BLUE, 0), (3, 0.6, WHITE, rng.choice([-1, 0, 1]) * np.pi / 2)),
    ][rng.integers(5)]
    _pole(canvas, rng, frame, height + radius)
    for index, (corners, size, tint, turn) in enumerate(layers):
        outline = polygon(corners, size * radius, turn) + (0, height)
        canvas.paint(frame.upright(*outline.T), tint, None if index else Label.TRAFFIC_SIGN)
    if rng.random() < 0.35:
        _bar(canvas, frame, -0.5, 0.5, height - radius - 0.6, height - radius - 0.15, WHITE, Label.TRAFFIC_SIGN)
        _bar(canvas, frame, -0.4, 0.4, height - radius - 0.42, height - radius - 0.32, BLACK, None)


def paint_bars(canvas: Canvas, rng: Generator, face: Face, length: float) -> None:
    """Paint upright bars between two rails over a face ``length`` metres long; the whole face is labelled fence."""
    tint = colour(rng, value=(0.4, 0.9)) if rng.random() < 0.25 else grey(rng, 195, 248)
    canvas.paint(face.corners, np.array([48, 74, 60]) * rng.uniform(0.7, 1.3), Label.FENCE)
    bars = max(3, round(length / 0.55))
    left = np.arange(bars) / bars
    canvas.paint(face.patch(left, left + 0.42 / bars, 0, 1), tint)
    canvas.paint(face.patch(0, 1, np.array([0.1, 0.82]), np.array([0.2, 0.92])), tint)


def paint_railing(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a free-standing piece of fence across the pavement."""
    length, height = rng.uniform(2.4, 3.2), rng.uniform(1.3, 1.9)
    half = length / 2
    paint_bars(canvas, rng, Face(frame.upright([-half, half, half, -half], [0, 0, height, height])), length)
