"""Outlines that make up flat figures and signs, in the plane of the figure."""
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def limb(start: ArrayLike, end: ArrayLike, width: float) -> np.ndarray:
    """Return the outline (4, 2) of a straight limb between two points of a figure."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    side = np.array([start[1] - end[1], end[0] - start[0]])
    side *= width / 2 / max(float(np.linalg.norm(side)), 1e-6)
    return np.stack([start - side, start + side, end + side, end - side])


def ring(centre: Sequence[float] | np.ndarray, radius_x: float, radius_y: float | None = None,
         count: int = 14) -> np.ndarray:
    """Return the outline (``count``, 2) of an ellipse."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius_y = radius_x if radius_y is None else radius_y
    return np.stack([centre[0] + radius_x * np.cos(turn), centre[1] + radius_y * np.sin(turn)], 1)


def polygon(corners: int, radius: float, turn: float = 0.0) -> np.ndarray:
    """Return the outline (``corners``, 2) of a regular polygon around the origin, with the first corner on top."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + np.pi / 2 + turn
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)
