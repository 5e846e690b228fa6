"""Sides of the street: houses, walls, fences, gardens and side streets, painted piece by piece.

Every painter takes (canvas, rng, side, edge, near, far): side is -1 for left and +1 for right; the piece is at
x = side * edge and extends from z = near to z = far.
"""
import numpy as np
from numpy.random import Generator

from isda_seg.demo_data.canvas import FARTHEST, Canvas, colour, grey
from isda_seg.demo_data.frame import Face
from isda_seg.demo_data.furniture import paint_bars
from isda_seg.demo_data.labels import Label
from isda_seg.demo_data.plants import paint_foliage

WIDEST = 80.0   # metres; how far things reach to the side
LIT = (120, 205, 240)


def _front(side: int, edge: float, near: float, far: float, height: float) -> Face:
    """Return the face along the street, from near to far."""
    x = side * edge
    return Face(np.array([(x, 0, near), (x, 0, far), (x, height, far), (x, height, near)], float))


def _end(side: int, edge: float, near: float, height: float, depth: float) -> Face:
    """Return the face perpendicular to the street, from the street outwards."""
    x, out = side * edge, side * (edge + depth)
    return Face(np.array([(x, 0, near), (out, 0, near), (out, height, near), (x, height, near)], float))


def _light(canvas: Canvas, side: int) -> tuple[float, float]:
    """Return the brightness of faces towards the street and of faces towards the camera."""
    return canvas.light(np.array([-side, 0, 0])), canvas.light(np.array([0, 0, -1]))


def _windows(canvas: Canvas, rng: Generator, face: Face, brightness: float, columns: int, floors: int,
             shop: bool) -> None:
    """Paint a grid of framed windows, some lit, and optionally a shop front on the ground floor."""
    pane, frame = colour(rng, (0.5, 0.65), (0.1, 0.4), (0.2, 0.5)), grey(rng, 150, 240)
    wide, tall = rng.uniform(0.4, 0.62), rng.uniform(0.45, 0.65)
    floor, column = np.mgrid[int(shop):floors, :columns].reshape(2, -1)
    left, low = (column + (1 - wide) / 2) / columns, (floor + 0.25) / floors
    right, high = left + wide / columns, low + tall / floors
    canvas.paint(face.patch(left - 0.06 / columns, right + 0.06 / columns, low, high), frame * brightness)
    tints = pane * rng.uniform(0.75, 1.2, (len(left), 1))
    tints[rng.random(len(left)) < 0.08] = LIT
    canvas.paint(face.patch(left, right, low + 0.04 / floors, high), tints * brightness)
    if shop:
        canvas.paint(face.patch(0.05, 0.95, 0.02, 0.62 / floors), 0.7 * pane)
        canvas.paint(face.patch(0.02, 0.98, 0.62 / floors, 0.85 / floors), colour(rng) * brightness)


def paint_house(canvas: Canvas, rng: Generator, side: int, edge: float, near: float, far: float) -> None:
    """Paint a plastered or brick house with floors of windows; its end wall faces the camera."""
    floors = int(rng.integers(2, 6))
    height, length = 3.0 * floors, far - near
    tint = colour(rng, (0.0, 0.14), (0.05, 0.5), (0.45, 0.95))
    along, across = _light(canvas, side)
    end = _end(side, edge, near, height, 14)
    canvas.paint(end.corners, tint * across, Label.BUILDING)
    _windows(canvas, rng, end, across, 4, floors, False)
    front = _front(side, edge, near, far, height)
    canvas.paint(front.corners, tint * along, Label.BUILDING)
    _windows(canvas, rng, front, along, max(2, round(length / 2.6)), floors, rng.random() < 0.4)
    canvas.paint(front.patch(0, 1, 0.96, 1), 0.6 * tint * along)


def _grow_behind(canvas: Canvas, rng: Generator, side: int, edge: float, near: float, far: float, low: float) -> None:
    """Paint bushes and trees behind an object ``low`` metres high."""
    for depth in np.sort(rng.uniform(near, far, 4))[::-1]:
        radius = rng.uniform(1.2, 2.2)
        place = side * (edge + radius + rng.uniform(0.3, 3))
        paint_foliage(canvas, rng, (place, low + rng.uniform(-0.3, 1.5), depth), (1.3 * radius, radius))


def paint_wall(canvas: Canvas, rng: Generator, side: int, edge: float, near: float, far: float) -> None:
    """Paint a long low wall of rough blocks with a coping, sometimes with trees behind it."""
    height, length = rng.uniform(2.3, 3.4), far - near
    if rng.random() < 0.6:
        _grow_behind(canvas, rng, side, edge, near, far, height)
    tint = colour(rng, (0.0, 0.16), (0.05, 0.3), (0.35, 0.65))
    along, across = _light(canvas, side)
    for face, brightness, metres in ((_end(side, edge, near, height, 0.6), across, 0.6),
                                     (_front(side, edge, near, far, height), along, length)):
        canvas.paint(face.corners, 0.72 * tint * brightness, Label.WALL)
        courses, blocks = 6, max(1, round(metres / 1.1))
        course, block = np.mgrid[:courses, :blocks + 1].reshape(2, -1)
        left, right = np.clip((block - 0.5 * (course % 2) + np.array([[0.04], [0.96]])) / blocks, 0, 1)
        canvas.paint(face.patch(left, right, (course + 0.08) / courses, (course + 0.92) / courses),
                     tint * brightness * rng.uniform(0.85, 1.15, (len(left), 1)))
        canvas.paint(face.patch(0, 1, 0.94, 1.02), 1.35 * tint * brightness, Label.WALL)


def paint_fence(canvas: Canvas, rng: Generator, side: int, edge: float, near: float, far: float) -> None:
    """Paint upright bars between two rails with a garden behind; the whole panel is labelled fence."""
    _grow_behind(canvas, rng, side, edge + 1.5, near, far, 0.6)
    paint_bars(canvas, rng, _front(side, edge, near, far, rng.uniform(2.3, 3.1)), far - near)


def paint_garden(canvas: Canvas, rng: Generator, side: int, edge: float, near: float, far: float) -> None:
    """Paint an open lawn or bare field with a few bushes and trees further back."""
    tint = colour(rng, (0.09, 0.25), (0.4, 0.75), (0.6, 0.9))
    x, out = side * edge, side * WIDEST
    canvas.ground([(x, near), (out, near), (out, far), (x, far)], tint, Label.TERRAIN)
    for depth in np.sort(rng.uniform(near + 0.3 * (far - near), far, 5))[::-1]:
        radius = rng.uniform(1, 2.4)
        centre = (side * (edge + rng.uniform(4, 14)), radius * rng.uniform(0.6, 1.5), depth)
        paint_foliage(canvas, rng, centre, (1.3 * radius, radius))


def paint_side_street(canvas: Canvas, rng: Generator, side: int, edge: float, near: float, far: float) -> None:
    """Paint a gap between the houses with a side road."""
    x, out = side * edge, side * WIDEST
    canvas.ground([(x, near), (out, near), (out, far), (x, far)], grey(rng, 85, 120), Label.ROAD)


CHANCES = {paint_house: 0.24, paint_wall: 0.26, paint_fence: 0.26, paint_garden: 0.2, paint_side_street: 0.04}


def paint_side(canvas: Canvas, rng: Generator, side: int, edge: float) -> None:
    """Paint one side of the street, from the far end to the camera; only houses can follow their own kind."""
    cuts = [3.0]
    while cuts[-1] < FARTHEST:
        cuts.append(cuts[-1] * rng.uniform(1.35, 1.9))
    previous = None
    for near, far in zip(cuts[-2::-1], cuts[:0:-1], strict=True):
        pieces = [piece for piece in CHANCES if piece is not previous or piece is paint_house]
        chances = np.array([CHANCES[piece] for piece in pieces])
        previous = pieces[rng.choice(len(pieces), p=chances / chances.sum())]
        previous(canvas, rng, side, edge, near, far)
