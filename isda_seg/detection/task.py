"""Task definition of object detection for run.py."""
from mmengine.config import Config

from isda_seg.detection.backbone import BackboneRecordHook, check_backbone
from isda_seg.detection.data_check import check_data
from isda_seg.detection.evaluation import evaluate, summary
from isda_seg.runtime.task import Task


def check(cfg: Config) -> None:
    """Check the data of a training config, and check and record its pretrained backbone."""
    check_data(cfg)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []),
                        dict(type=BackboneRecordHook.__name__, backbone=check_backbone(cfg))]


TASK = Task('detection', check, check_data, evaluate, summary, frozenset({'show_dir', 'show_most'}))
