"""Task definition of semantic segmentation for run.py."""
from mmengine.config import Config

from isda_seg.runtime.task import FLAGS, Task
from isda_seg.segmentation.data_check import check_data
from isda_seg.segmentation.data_preprocessor import check_preprocessor
from isda_seg.segmentation.evaluation import evaluate, summary
from isda_seg.segmentation.first_images import check_first_images
from isda_seg.segmentation.ignored_labels import check_ignored
from isda_seg.segmentation.loading import check_loading, check_order
from isda_seg.segmentation.metric import write_distinct
from isda_seg.segmentation.protocols import PROTOCOLS


def check(cfg: Config) -> None:
    """Check the data of a training config and insert validating loading transforms."""
    check_data(cfg)
    for split in ('train', 'val'):
        check_ignored(cfg, split)
        check_order(cfg, split)
    check_loading(cfg)
    check_preprocessor(cfg, training=True)
    for split in ('train', 'val'):
        check_first_images(cfg, split)
    write_distinct(cfg)


TASK = Task('segmentation', check, check_data, evaluate, summary, frozenset(FLAGS), PROTOCOLS)
