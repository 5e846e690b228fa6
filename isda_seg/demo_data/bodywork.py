"""Parts of vehicles: boxes, wheels, windows, lamps, shadow."""
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from isda_seg.demo_data.canvas import Canvas
from isda_seg.demo_data.frame import Box, Faces, Frame, paint_box
from isda_seg.demo_data.labels import Label

SIDES, ENDS = ('left', 'right'), ('front', 'rear')
GLASS, RUBBER, RED_LAMP, WHITE_LAMP = (70, 55, 45), (28, 28, 28), (30, 30, 225), (215, 245, 250)


def paint_parts(canvas: Canvas, frame: Frame, label: Label, boxes: Sequence[tuple[Box, ArrayLike]]) -> list[Faces]:
    """Paint (Box, colour) pairs, farthest first; return the visible faces of each box in the given order."""
    middle = [frame.place([(float(np.mean(box.along)), 0, float(np.mean(box.across)))])[0] for box, _ in boxes]
    faces: list[Faces] = [{} for _ in boxes]
    for index in sorted(range(len(boxes)), key=lambda index: -np.linalg.norm(middle[index])):
        faces[index] = paint_box(canvas, frame, *boxes[index], label)
    return faces


def paint_shadow(canvas: Canvas, frame: Frame, length: float, width: float) -> None:
    """Paint a dark patch on the road under a vehicle."""
    half, wide = length / 2 + 0.2, width / 2 + 0.25
    canvas.paint(frame.place([(-half, 0, -wide), (half, 0, -wide), (half, 0, wide), (-half, 0, wide)]), (38, 36, 36))


def paint_wheels(canvas: Canvas, faces: Faces, length: float, height: float, low: float, places: Sequence[float],
                 radius: float, label: Label) -> None:
    """Paint wheels on the visible sides of a body whose face starts ``low`` metres above the road."""
    for name in SIDES:
        if name in faces:
            for place in places:
                for size, tint in ((radius, RUBBER), (0.55 * radius, (150, 150, 150))):
                    wheel = faces[name][0].ellipse(place, (radius - low) / height, size / length, size / height)
                    canvas.paint(wheel, tint, label)


def paint_lamps(canvas: Canvas, faces: Faces, low: float, high: float, inset: float = 0.05, size: float = 0.16) -> None:
    """Paint two lamps on each visible end, white in front and red behind; heights are fractions of the face."""
    for name, tint in (('front', WHITE_LAMP), ('rear', RED_LAMP)):
        if name in faces:
            for left in (inset, 1 - inset - size):
                canvas.paint(faces[name][0].patch(left, left + size, low, high), tint)


def paint_panes(canvas: Canvas, faces: Faces, names: Sequence[str], count: int, low: float, high: float,
                tint: ArrayLike, margin: float = 0.03, gap: float = 0.15) -> None:
    """Paint a row of ``count`` windows on each visible face in ``names``."""
    step = (1 - 2 * margin) / count
    for face, brightness in (faces[name] for name in names if name in faces):
        left = margin + step * (np.arange(count) + gap / 2)
        canvas.paint(face.patch(left, left + step * (1 - gap), low, high), np.asarray(tint) * brightness)
