"""The outlines of which cut-out figures are made, in the plane of the figure."""
import numpy as np


def limb(start, end, width):
    """The outline (4, 2) of a straight limb between two points of a figure."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    side = np.array([start[1] - end[1], end[0] - start[0]])
    side *= width / 2 / max(np.linalg.norm(side), 1e-6)
    return np.stack([start - side, start + side, end + side, end - side])


def ring(centre, radius_x, radius_y=None, count=14):
    """The outline (`count`, 2) of an ellipse."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius_y = radius_x if radius_y is None else radius_y
    return np.stack([centre[0] + radius_x * np.cos(turn), centre[1] + radius_y * np.sin(turn)], 1)
