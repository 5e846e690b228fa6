"""Trees and bushes, composed of trunks and clusters of leaves."""
import numpy as np
from numpy.random import Generator

from isda_seg.demo_data.canvas import Canvas, Pair, colour
from isda_seg.demo_data.figures import ring
from isda_seg.demo_data.frame import Frame
from isda_seg.demo_data.labels import Label


def paint_foliage(canvas: Canvas, rng: Generator, centre: tuple[float, float, float], radius: Pair,
                  count: int = 22) -> None:
    """Paint a cluster of leaves around a world point (3,): overlapping discs, lighter on top; radius (across, up)."""
    tint = colour(rng, hue=(0.18, 0.36), saturation=(0.4, 0.75), value=(0.28, 0.55))
    level = np.sort(rng.uniform(-1, 1, count))
    across = rng.uniform(-1, 1, count) * np.sqrt(1 - 0.8 * level ** 2)
    size = rng.uniform(0.32, 0.5, count) * min(radius)
    discs = np.empty((count, 9, 3))
    discs[..., :2] = size[:, None, None] * ring((0, 0), 1.0, count=9) + np.stack([across, level], 1)[:, None] * radius
    discs[..., 2] = 0
    tints = np.maximum(1 + 0.25 * level + rng.normal(0, 0.15, count), 0)[:, None] * tint
    canvas.paint(discs + centre, tints, Label.VEGETATION)


def paint_tree(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Paint a trunk and a crown of leaves."""
    trunk, radius = rng.uniform(1.6, 2.6), rng.uniform(1.1, 1.8)
    bark = colour(rng, (0.05, 0.09), (0.3, 0.5), (0.2, 0.4))
    canvas.paint(frame.upright([-0.18, 0.18, 0.18, -0.18], [0, 0, trunk + 0.5, trunk + 0.5]), bark, Label.VEGETATION)
    paint_foliage(canvas, rng, (frame.x, trunk + radius, frame.z), (radius, 1.1 * radius))
