"""Placement of objects on the ground: kinds, frequencies, collision-free positions."""
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from isda_seg.demo_data.canvas import Canvas, Pair
from isda_seg.demo_data.frame import Frame
from isda_seg.demo_data.furniture import (
    paint_lamp_post,
    paint_railing,
    paint_traffic_light,
    paint_traffic_sign,
)
from isda_seg.demo_data.ground import Layout
from isda_seg.demo_data.people import paint_person
from isda_seg.demo_data.plants import paint_tree
from isda_seg.demo_data.two_wheelers import paint_bicycle, paint_motorcycle
from isda_seg.demo_data.vehicles import paint_bus, paint_car, paint_tram, paint_truck

AWAY, TOWARDS, ACROSS = 0.0, np.pi, np.pi / 2
Paint = Callable[[Canvas, Generator, Frame], None]
Rectangle = tuple[float, float, float, float]   # x0, y0, x1, y1 in pixels


class Kind(NamedTuple):
    """Frequency, size and location of a kind of object."""
    paint: Paint
    chance: float       # of each of `most` attempts
    most: int
    size: tuple[float, float, float]        # metres: width, height, length along its heading
    nearest: float      # metres from the camera to its nearest point
    farthest: float
    zone: str           # 'rails', 'road', 'parked', 'kerb', 'pavement' or 'anywhere'
    headings: tuple[float, ...]             # one is drawn, then jittered


KINDS = (
    Kind(paint_tram, 0.9, 1, (2.4, 3.5, 14), 8, 15, 'rails', (AWAY, TOWARDS)),
    Kind(paint_truck, 0.45, 1, (2.5, 3.4, 8), 7, 15, 'road', (AWAY, TOWARDS, AWAY, TOWARDS, ACROSS, -ACROSS)),
    Kind(paint_bus, 0.55, 1, (2.5, 3.1, 9.5), 7, 15, 'road', (AWAY, TOWARDS, AWAY, TOWARDS, ACROSS, -ACROSS)),
    Kind(paint_motorcycle, 0.38, 2, (0.9, 1.7, 2.2), 4.5, 8.5, 'road', (ACROSS, -ACROSS)),
    Kind(paint_bicycle, 0.5, 2, (0.8, 1.7, 2.0), 4.5, 8.5, 'anywhere', (ACROSS, -ACROSS)),
    Kind(paint_person, 0.7, 4, (0.9, 1.9, 0.6), 4.8, 9, 'pavement', (AWAY,)),
    Kind(paint_person, 0.35, 2, (0.9, 1.9, 0.6), 5, 9, 'road', (AWAY,)),
    Kind(paint_car, 0.6, 4, (1.9, 1.6, 4.4), 5.5, 18, 'road', (AWAY, TOWARDS, TOWARDS, ACROSS)),
    Kind(paint_car, 0.4, 2, (1.9, 1.6, 4.4), 6, 18, 'parked', (AWAY, TOWARDS)),
    Kind(paint_traffic_sign, 0.7, 2, (1.4, 3.4, 0.4), 5.5, 11, 'kerb', (AWAY,)),
    Kind(paint_traffic_light, 0.45, 2, (1.0, 4.2, 0.4), 6, 12, 'kerb', (AWAY,)),
    Kind(paint_railing, 0.4, 2, (2.8, 1.6, 0.4), 5.5, 10, 'pavement', (AWAY,)),
    Kind(paint_lamp_post, 0.6, 2, (0.8, 6, 0.4), 7, 16, 'kerb', (AWAY,)),
    Kind(paint_tree, 0.4, 2, (2.5, 5, 1), 9, 25, 'kerb', (AWAY,)),
)


def _stand(rng: Generator, kind: Kind, layout: Layout, rails: float | None) -> tuple[Frame, Pair]:
    """Sample a position for one object: its Frame, and its half extents along x and z."""
    left, right = layout.kerbs
    width, _, length = kind.size
    heading = rng.choice(kind.headings)
    along_z = abs(np.cos(heading))
    half_x = (width * along_z + length * (1 - along_z)) / 2
    half_z = (length * along_z + width * (1 - along_z)) / 2
    zone = rng.choice(['road', 'pavement']) if kind.zone == 'anywhere' else kind.zone
    side = rng.integers(2)
    if zone == 'rails' and rails is not None:
        x = rails
    elif zone == 'road':
        x = rng.uniform(left + half_x + 0.3, max(right - half_x - 0.3, left + half_x + 0.4))
    elif zone == 'parked':
        x = layout.kerbs[side] + (0.3 + half_x) * (1, -1)[side]
    elif zone == 'kerb':
        x = layout.kerbs[side] + rng.uniform(0.3, 0.9) * (-1, 1)[side]
    else:
        low, high = sorted((layout.kerbs[side] + 0.5 * (-1, 1)[side], layout.edges[side]))
        x = rng.uniform(low, high)
    near = rng.uniform(kind.nearest, kind.farthest)
    jitter = 0.0 if zone in ('rails', 'kerb') else rng.normal(0, 0.06 if zone == 'road' else 0.03)
    return Frame(x, near + half_z, heading + jitter), (half_x, half_z)


def _window(canvas: Canvas, kind: Kind, frame: Frame, halves: Pair) -> Rectangle:
    """Return the bounding rectangle (x0, y0, x1, y1) of an object in pixels."""
    (half_x, half_z), height = halves, kind.size[1]
    points = [(frame.x + sign * half_x, up, frame.z + deep * half_z)
              for sign in (-1, 1) for up in (0, height) for deep in (-1, 1)]
    pixels = canvas.project(points)
    return (*pixels.min(0).tolist(), *pixels.max(0).tolist())


def _overlap(first: Rectangle, second: Rectangle) -> float:
    """Return the intersection area of two rectangles (x0, y0, x1, y1)."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


def populate(canvas: Canvas, rng: Generator, layout: Layout, rails: float | None, attempts: int = 16,
             hidden: float = 0.35) -> list[tuple[float, Paint, Frame]]:
    """Sample (depth, paint, Frame) of all objects on the ground, farthest first.

    Two objects overlap by at most the share ``hidden`` of the smaller one, and most of each lies in the image. An
    object without a free position after ``attempts`` is omitted.
    ``rails`` is the x of the tram rails, or None without rails.
    """
    tall, wide = canvas.labels.shape
    picture = 0, 0, wide, tall
    taken: list[Rectangle] = []
    things: list[tuple[float, Paint, Frame]] = []
    wanted = [kind for kind in KINDS for _ in range(rng.binomial(kind.most, kind.chance))
              if kind.zone != 'rails' or rails is not None]
    for kind in wanted:
        for _ in range(attempts):
            frame, halves = _stand(rng, kind, layout, rails)
            window = _window(canvas, kind, frame, halves)
            area = _overlap(window, window)
            crowded = any(_overlap(window, other) > hidden * min(area, _overlap(other, other)) for other in taken)
            if not crowded and _overlap(window, picture) > 0.7 * area:
                taken.append(window)
                things.append((frame.z - halves[1], kind.paint, frame))
                break
    return sorted(things, key=lambda thing: -thing[0])
