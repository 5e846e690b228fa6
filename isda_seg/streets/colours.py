"""Random colours, as OpenCV stores them: blue, green, red."""
from colorsys import hsv_to_rgb

import numpy as np


def colour(rng, hue=(0, 1), saturation=(0.5, 1), value=(0.4, 1)):
    """A random colour (3,) BGR in 0..250, each of hue, saturation and value uniform in its range of 0..1."""
    red, green, blue = hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return 250 * np.array([blue, green, red])


def grey(rng, low, high):
    """A random, nearly neutral colour (3,) BGR with values from `low` to `high`."""
    return np.clip(rng.uniform(low, high) + rng.normal(0, 4, 3), 0, 250)
