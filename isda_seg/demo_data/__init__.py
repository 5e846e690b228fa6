"""Demo data: procedurally drawn street scenes with the 19 Cityscapes classes; needs only numpy and OpenCV."""
from isda_seg.demo_data.labels import CLASSES, IGNORE_LABEL
from isda_seg.demo_data.scene import draw_street

__all__ = ['CLASSES', 'IGNORE_LABEL', 'draw_street']
