"""Sky, far end of the street, and ground: road, markings, rails, pavements, verges."""
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from isda_seg.demo_data.canvas import FARTHEST, NEAREST, OVERSAMPLING, Canvas, Pair, colour, grey
from isda_seg.demo_data.labels import Label
from isda_seg.demo_data.plants import paint_foliage


class Layout(NamedTuple):
    """Lateral positions of road, verges and pavements, in metres from the camera, negative to the left."""
    kerbs: Pair        # left and right edge of the road
    verges: Pair       # width of the strip of grass beside the road, left and right; 0 for none
    edges: Pair        # left and right outer edge of the pavements


def random_layout(rng: Generator) -> Layout:
    """Sample the layout of a street seen from its right-hand lane."""
    kerbs = -rng.uniform(4.5, 6.5), rng.uniform(3.2, 5)
    left, right = (rng.uniform(1.2, 2.5) if rng.random() < 0.4 else 0.0 for _ in kerbs)
    walks = rng.uniform(1.7, 2.8, 2)
    return Layout(kerbs, (left, right), (kerbs[0] - left - walks[0], kerbs[1] + right + walks[1]))


def paint_sky(canvas: Canvas, rng: Generator) -> None:
    """Paint a vertical gradient down to the haze, with clouds; then the far end of the street."""
    tall, wide = canvas.labels.shape
    depth = int(np.ceil(canvas.horizon)) + 1
    top = colour(rng, (0.54, 0.62), (0.05, 0.6), (0.65, 1))
    mix = np.linspace(0, 1, depth)[:, None, None] ** 1.5
    canvas.image[:depth] = (top * (1 - mix) + np.minimum(1.1 * canvas.haze, 250) * mix).astype(np.uint8)
    canvas.labels[:depth] = Label.SKY
    for _ in range(rng.integers(0, 7)):
        centre = int(rng.uniform(0, wide)), int(rng.uniform(0, 0.8 * depth))
        size = rng.uniform(0.06, 0.2) * wide
        cloud = np.minimum(rng.uniform(0.95, 1.2) * canvas.haze, 250)
        for _ in range(6):
            shift = rng.uniform(-0.6, 0.6, 2) * (size, 0.2 * size)
            at = int(centre[0] + shift[0]), int(centre[1] + shift[1])
            cv2.ellipse(canvas.image[:depth], at, (int(0.6 * size), int(0.16 * size)), 0, 0, 360, cloud.tolist(), -1)
    canvas.image[:depth] = cv2.GaussianBlur(canvas.image[:depth], (0, 0), 2.0 * OVERSAMPLING)


def paint_far_end(canvas: Canvas, rng: Generator) -> None:
    """Paint houses and trees across the end of the street, faded by distance."""
    for x in np.arange(-FARTHEST, FARTHEST, 9):
        if rng.random() < 0.6:
            x0, x1, height = x, x + rng.uniform(7, 12), rng.uniform(4, 14)
            canvas.paint([(x0, 0, FARTHEST), (x1, 0, FARTHEST), (x1, height, FARTHEST), (x0, height, FARTHEST)],
                         colour(rng, (0, 0.14), (0.05, 0.4), (0.4, 0.9)), Label.BUILDING)
        else:
            paint_foliage(canvas, rng, (x + 4, 3, FARTHEST), (6, 3.5), 14)


def _strip(canvas: Canvas, left: float, right: float, tint: ArrayLike, label: Label | None = None,
           near: float = NEAREST, far: float = FARTHEST) -> None:
    """Paint a rectangle of ground between two x and two z."""
    canvas.ground([(left, near), (right, near), (right, far), (left, far)], tint, label)


def paint_ground(canvas: Canvas, rng: Generator, layout: Layout) -> None:
    """Paint grass everywhere, then pavements with joints, verges, and the road."""
    tint = colour(rng, (0.09, 0.25), (0.4, 0.75), (0.6, 0.9))
    canvas.image[int(canvas.horizon):], canvas.labels[int(canvas.horizon):] = tint, Label.TERRAIN
    paving = colour(rng, (0.0, 0.12), (0.05, 0.25), (0.55, 0.85))
    for kerb, edge in zip(layout.kerbs, layout.edges, strict=True):
        _strip(canvas, min(kerb, edge), max(kerb, edge), paving, Label.SIDEWALK)
        for z in np.geomspace(3, FARTHEST, 26):
            _strip(canvas, min(kerb, edge), max(kerb, edge), 0.82 * paving, near=z, far=1.012 * z)
    for kerb, verge, outward in zip(layout.kerbs, layout.verges, (-1, 1), strict=True):
        if verge:
            inner, outer = sorted((kerb + 0.4 * outward, kerb + (0.4 + verge) * outward))
            _strip(canvas, inner, outer, 1.1 * tint, Label.TERRAIN)
    _strip(canvas, *layout.kerbs, grey(rng, 75, 120), Label.ROAD)
    for kerb in layout.kerbs:
        _strip(canvas, kerb - 0.12, kerb + 0.12, grey(rng, 150, 190), Label.SIDEWALK)


def paint_markings(canvas: Canvas, rng: Generator, layout: Layout, rails: float | None = None) -> None:
    """Paint lane lines, sometimes a zebra crossing, patches of new asphalt, and rails around x = ``rails`` if given."""
    left, right = layout.kerbs
    for _ in range(rng.integers(0, 4)):
        x, z = rng.uniform(left + 1, right - 3), rng.uniform(4, 20)
        _strip(canvas, x, x + rng.uniform(1, 3), grey(rng, 60, 110), near=z, far=z * rng.uniform(1.2, 1.8))
    white = grey(rng, 195, 240)
    middle, dash, phase = (left + right) / 2 - 0.5, rng.uniform(2, 4), rng.uniform(0, 4)
    for z in np.arange(phase + NEAREST, FARTHEST, 2 * dash):
        _strip(canvas, middle - 0.09, middle + 0.09, white, near=z, far=z + dash)
    if rng.random() < 0.6:
        _strip(canvas, left + 0.4, left + 0.55, white)
        _strip(canvas, right - 0.55, right - 0.4, white)
    if rng.random() < 0.35:
        z = rng.uniform(6, 14)
        for x in np.arange(left + 0.4, right - 0.5, 1.0):
            _strip(canvas, x, x + 0.5, white, near=z, far=z + 3)
    if rails is not None:
        for x in (rails - 0.75, rails + 0.75):
            _strip(canvas, x - 0.14, x + 0.14, (62, 60, 58))
            _strip(canvas, x - 0.05, x + 0.05, (190, 190, 185))
