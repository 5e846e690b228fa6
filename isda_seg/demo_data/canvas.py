"""Canvas: an image and its label map, painted together through one camera.

World coordinates are in metres: x to the right, y up from the road, z away from the camera. Colours are BGR, as in
OpenCV. Shape letters: N points, M outlines.
"""
from colorsys import hsv_to_rgb

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from isda_seg.demo_data.labels import IGNORE_LABEL, Label

OVERSAMPLING = 2        # the canvas is painted this many times larger, then averaged down
NEAREST = 1.5           # metres; nothing nearer than this can be projected
FARTHEST = 60.0         # metres; where the street ends

Pair = tuple[float, float]

_SUBPIXEL_BITS = 4
_FURTHEST_PIXEL = 16000.0       # far outside any picture, and safe in OpenCV's fixed-point arithmetic


def colour(rng: Generator, hue: Pair = (0, 1), saturation: Pair = (0.5, 1), value: Pair = (0.4, 1)) -> np.ndarray:
    """Sample a colour (3,) BGR in 0..250 with uniform hue, saturation and value in the given ranges of 0..1."""
    red, green, blue = hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return 250 * np.array([blue, green, red])


def grey(rng: Generator, low: float, high: float) -> np.ndarray:
    """Sample a nearly neutral colour (3,) BGR with values from ``low`` to ``high``."""
    return np.clip(rng.uniform(low, high) + rng.normal(0, 4, 3), 0, 250)


class Canvas:
    """Oversampled image (H, W, 3) BGR and labels (H, W), with a camera whose view is sampled from ``rng``."""

    def __init__(self, rng: Generator, height: int, width: int) -> None:
        tall, wide = OVERSAMPLING * height, OVERSAMPLING * width
        self.image = np.zeros((tall, wide, 3), np.uint8)
        self.labels = np.full((tall, wide), IGNORE_LABEL, np.uint8)
        self.focal = tall * rng.uniform(1.25, 1.5)
        self.centre = wide * rng.uniform(0.4, 0.6)
        self.horizon = tall * rng.uniform(0.36, 0.46)
        self.eye = rng.uniform(1.8, 2.4)
        self.sun = np.array([rng.choice([-1, 1]) * rng.uniform(0.3, 0.9), rng.uniform(0.5, 1), -rng.uniform(0.1, 0.8)])
        self.haze = grey(rng, 150, 225)
        self.haze_depth = rng.uniform(60, 250)

    def project(self, points: ArrayLike) -> np.ndarray:
        """Project world points (..., 3) to pixels (..., 2), x before y."""
        points = np.asarray(points, float)
        scale = self.focal / np.maximum(points[..., 2], NEAREST)
        pixels = np.empty((*scale.shape, 2))
        pixels[..., 0] = self.centre + scale * points[..., 0]
        pixels[..., 1] = self.horizon + scale * (self.eye - points[..., 1])
        return np.maximum(np.minimum(pixels, _FURTHEST_PIXEL), -_FURTHEST_PIXEL)

    def paint(self, outlines: ArrayLike, tints: ArrayLike, label: Label | None = None) -> None:
        """Fill an outline (N, 3) of world points with a colour (3,), or several outlines (M, N, 3) in order.

        Several outlines share one colour or have separate ones (M, 3). With ``label`` None the labels do not change, as
        for a detail of an object.
        """
        outlines = np.asarray(outlines, float)
        outlines = outlines.reshape(-1, *outlines.shape[-2:])
        pixels = np.rint(self.project(outlines) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        clear = np.exp(-outlines[..., 2:].mean(axis=1) / self.haze_depth)
        seen = np.minimum(np.asarray(tints) * clear + self.haze * (1 - clear), 250).tolist()
        for outline, tint in zip(pixels, seen, strict=True):
            cv2.fillPoly(self.image, [outline], tint, shift=_SUBPIXEL_BITS)
            if label is not None:
                cv2.fillPoly(self.labels, [outline], int(label), shift=_SUBPIXEL_BITS)

    def ground(self, outline: ArrayLike, tint: ArrayLike, label: Label | None = None) -> None:
        """Paint a polygon on the ground; outline (N, 2) holds x and z."""
        self.paint(np.insert(np.asarray(outline, float), 1, 0, axis=1), tint, label)

    def light(self, normal: np.ndarray) -> float:
        """Return the brightness of a face with outward normal (3,): from 0.6 in the shade to 1 facing the sun."""
        return 0.6 + 0.4 * max(0.0, float(np.dot(normal, self.sun)) / float(np.linalg.norm(self.sun)))
