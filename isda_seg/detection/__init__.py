"""Object detection with MMDetection: checks of backbone and data, COCO evaluation, visualisations."""
from isda_seg import compat

compat.prepare()
compat.require_detection()  # before the first import of mmdet

from isda_seg.detection.backbone import BackboneRecordHook
from isda_seg.detection.pictures import DetectionsHook
