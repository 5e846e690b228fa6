"""Flat faces, local coordinate frames with a heading, and boxes in them.

Shape letters: N points.
"""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isda_seg.demo_data.canvas import Canvas, Pair
from isda_seg.demo_data.labels import Label


class Face(NamedTuple):
    """Flat quadrilateral with corners (4, 3): lower left, lower right, upper right, upper left."""
    corners: np.ndarray

    def at(self, across: ArrayLike, up: ArrayLike) -> np.ndarray:
        """Return world points (..., 3) at fractions ``across`` (...) and ``up`` (...) of the face."""
        across, up = np.asarray(across, float)[..., None], np.asarray(up, float)[..., None]
        low = self.corners[0] * (1 - across) + self.corners[1] * across
        high = self.corners[3] * (1 - across) + self.corners[2] * across
        points: np.ndarray = low * (1 - up) + high * up
        return points

    def patch(self, left: ArrayLike, right: ArrayLike, low: ArrayLike, high: ArrayLike) -> np.ndarray:
        """Return sub-faces (..., 4, 3) between fractions ``left`` and ``right`` across, and ``low`` and ``high`` up."""
        left, right, low, high = np.broadcast_arrays(left, right, low, high)
        return self.at(np.stack([left, right, right, left], -1), np.stack([low, low, high, high], -1))

    def ellipse(self, across: float, up: float, radius_across: float, radius_up: float) -> np.ndarray:
        """Return the outline (N, 3) of an ellipse on the face; centre and radii are fractions of the face."""
        turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        return self.at(across + radius_across * np.cos(turn), up + radius_up * np.sin(turn))


Faces = dict[str, tuple[Face, float]]   # the visible faces of a box by their names, and how bright each is


class Frame(NamedTuple):
    """Local frame at a point on the ground, in metres: along (towards the front), up, across (to the right)."""
    x: float
    z: float
    heading: float      # radians; 0 looks away from the camera, pi towards it

    def place(self, points: ArrayLike) -> np.ndarray:
        """Convert local points (N, 3) (along, up, across) to world points (N, 3)."""
        along, up, across = np.asarray(points, float).T
        sin, cos = np.sin(self.heading), np.cos(self.heading)
        return np.stack([self.x + along * sin + across * cos, up, self.z + along * cos - across * sin], 1)

    def upright(self, across: Sequence[float] | np.ndarray, up: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return world points (N, 3) on the plane across the heading, for a figure seen from the front."""
        return self.place(np.stack([np.zeros(len(up)), up, across], 1))

    def profile(self, along: Sequence[float] | np.ndarray, up: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return world points (N, 3) on the plane along the heading, for a figure seen from its side."""
        return self.place(np.stack([along, up, np.zeros(len(up))], 1))


class Box(NamedTuple):
    """Box with local bounds (along, up, across); its top is smaller by ``taper`` (along, across) at each end."""
    along: Pair
    up: Pair
    across: Pair
    taper: Pair = (0.0, 0.0)


def visible_faces(canvas: Canvas, frame: Frame, box: Box) -> Faces:
    """Return the faces of a box that the camera sees: {name: (Face, brightness)}.

    Names: front, rear, left, right, top. Sides extend from rear to front, front and rear from left to right.
    """
    (a0, a1), (y0, y1), (w0, w1), (da, dw) = box
    corners = frame.place([(a0, y0, w0), (a1, y0, w0), (a1, y0, w1), (a0, y0, w1),
                           (a0 + da, y1, w0 + dw), (a1 - da, y1, w0 + dw), (a1 - da, y1, w1 - dw),
                           (a0 + da, y1, w1 - dw)])
    forward = np.array([np.sin(frame.heading), 0, np.cos(frame.heading)])
    right = np.array([forward[2], 0, -forward[0]])
    sides = dict(top=((4, 5, 6, 7), np.array([0, 1, 0])), left=((0, 1, 5, 4), -right), right=((3, 2, 6, 7), right),
                 front=((1, 2, 6, 5), forward), rear=((0, 3, 7, 4), -forward))
    seen = {}
    for name, (index, normal) in sides.items():
        face = Face(corners[list(index)])
        if np.dot(normal, np.array([0, canvas.eye, 0]) - face.corners.mean(0)) > 0:
            seen[name] = face, canvas.light(normal)
    return seen


def paint_box(canvas: Canvas, frame: Frame, box: Box, tint: ArrayLike, label: Label | None = None) -> Faces:
    """Paint a box and return its visible faces, {name: (Face, brightness)}."""
    faces = visible_faces(canvas, frame, box)
    for face, brightness in faces.values():
        canvas.paint(face.corners, np.asarray(tint) * brightness, label)
    return faces
