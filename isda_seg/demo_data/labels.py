"""Classes of the demo streets: the Cityscapes train ids."""
from enum import IntEnum

import numpy as np

IGNORE_LABEL = int(np.iinfo(np.uint8).max)


class Label(IntEnum):
    """Cityscapes train ids, in the order in which the benchmark reports them."""
    ROAD = 0
    SIDEWALK = 1
    BUILDING = 2
    WALL = 3
    FENCE = 4
    POLE = 5
    TRAFFIC_LIGHT = 6
    TRAFFIC_SIGN = 7
    VEGETATION = 8
    TERRAIN = 9
    SKY = 10
    PERSON = 11
    RIDER = 12
    CAR = 13
    TRUCK = 14
    BUS = 15
    TRAIN = 16
    MOTORCYCLE = 17
    BICYCLE = 18


CLASSES = tuple(label.name.lower().replace('_', ' ') for label in Label)
