"""Task definition of semantic segmentation for run.py."""
from mmengine.config import Config

from isda_seg.runtime.task import Task
from isda_seg.segmentation.data_check import check_data
from isda_seg.segmentation.evaluation import evaluate, summary
from isda_seg.segmentation.loading import check_loading
from isda_seg.segmentation.protocols import PROTOCOLS


def check(cfg: Config) -> None:
    """Check the data of a training config and insert validating loading transforms."""
    check_data(cfg)
    check_loading(cfg)


TASK = Task(check, evaluate, summary, PROTOCOLS)
