"""Complete street scene."""
import numpy as np

from isda_seg.demo_data.camera import develop, paint_bonnet
from isda_seg.demo_data.canvas import Canvas
from isda_seg.demo_data.ground import paint_far_end, paint_ground, paint_markings, paint_sky, random_layout
from isda_seg.demo_data.placement import populate
from isda_seg.demo_data.sides import paint_side

SMALLEST = 32           # pixels; below this nothing can be told apart


def draw_street(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint a street scene: image (H, W, 3) uint8 BGR and labels (H, W) uint8, train ids 0..18 or IGNORE_LABEL.

    The camera is in the right-hand lane. Sky, ground and the sides of the street are painted first, then all objects on
    the ground, farthest first, then the bonnet of the ego car and the sensor effects.
    The same state of ``rng`` gives the same scene. Raises a ValueError for a size below SMALLEST pixels.
    """
    if min(height, width) < SMALLEST:
        raise ValueError(f'a street needs at least {SMALLEST} x {SMALLEST} pixels, got {height} x {width}')
    canvas, layout = Canvas(rng, height, width), random_layout(rng)
    rails = layout.kerbs[0] + rng.uniform(1.6, 3.0) if rng.random() < 0.5 else None
    paint_sky(canvas, rng)
    paint_ground(canvas, rng, layout)
    paint_far_end(canvas, rng)
    paint_markings(canvas, rng, layout, rails)
    for side, edge in zip((-1, 1), np.abs(layout.edges), strict=True):
        paint_side(canvas, rng, side, edge)
    for _, paint, frame in populate(canvas, rng, layout, rails):
        paint(canvas, rng, frame)
    paint_bonnet(canvas, rng)
    return develop(canvas, rng, height, width)
