"""What vehicles are made of: boxes, wheels, windows, lamps and a shadow."""
import numpy as np

from isda_seg.streets.frame import paint_box

SIDES, ENDS = ('left', 'right'), ('front', 'rear')
GLASS, RUBBER, RED_LAMP, WHITE_LAMP = (70, 55, 45), (28, 28, 28), (30, 30, 225), (215, 245, 250)


def paint_parts(canvas, frame, label, boxes):
    """Paint (Box, colour) pairs, the farthest first; returns each box's visible faces in the order given."""
    middle = [frame.place([(np.mean(box.along), 0, np.mean(box.across))])[0] for box, _ in boxes]
    faces = [None] * len(boxes)
    for index in sorted(range(len(boxes)), key=lambda index: -np.linalg.norm(middle[index])):
        faces[index] = paint_box(canvas, frame, *boxes[index], label)
    return faces


def paint_shadow(canvas, frame, length, width):
    """A dark patch on the road under a vehicle."""
    half, wide = length / 2 + 0.2, width / 2 + 0.25
    canvas.paint(frame.place([(-half, 0, -wide), (half, 0, -wide), (half, 0, wide), (-half, 0, wide)]), (38, 36, 36))


def paint_wheels(canvas, faces, length, height, low, places, radius, label):
    """Wheels on the visible sides of a body whose face starts `low` metres above the road."""
    for name in SIDES:
        if name in faces:
            for place in places:
                for size, tint in ((radius, RUBBER), (0.55 * radius, (150, 150, 150))):
                    canvas.ellipse(faces[name][0], place, (radius - low) / height, size / length, size / height,
                                   tint, label)


def paint_lamps(canvas, faces, low, high, inset=0.05, size=0.16):
    """A pair of lamps on each visible end: white in front, red behind; heights are fractions of the face."""
    for name, tint in (('front', WHITE_LAMP), ('rear', RED_LAMP)):
        if name in faces:
            for left in (inset, 1 - inset - size):
                canvas.paint(faces[name][0].patch(left, left + size, low, high), tint)


def paint_panes(canvas, faces, names, count, low, high, tint, margin=0.03, gap=0.15):
    """A row of `count` windows on each visible face among `names`."""
    step = (1 - 2 * margin) / count
    for face, brightness in (faces[name] for name in names if name in faces):
        left = margin + step * (np.arange(count) + gap / 2)
        canvas.paint(face.patch(left, left + step * (1 - gap), low, high), np.asarray(tint) * brightness)
