"""Demo streets: procedurally drawn street scenes with the nineteen Cityscapes classes. numpy and OpenCV only."""
from isda_seg.demo_data.labels import CLASSES, IGNORE_LABEL
from isda_seg.demo_data.scene import draw_street

__all__ = ['CLASSES', 'IGNORE_LABEL', 'draw_street']
