"""Visualisation of ground truth and detections side by side."""
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.registry import HOOKS

from isda_seg.runtime.pictures import PicturesHook

GREY = 235


@HOOKS.register_module()
class DetectionsHook(PicturesHook):
    """Write ``<image name>.png`` for test images, with boxes, and with masks if there are any.

    Args:
        photographs: draw on the photograph; False draws on plain grey, for images without a redistribution licence.
        score: minimum score of the predictions drawn.
    """

    def __init__(self, out_dir: str, most: int | None = None, photographs: bool = True, score: float = 0.3) -> None:
        super().__init__(out_dir, most)
        self.photographs, self.score = photographs, score

    def draw(self, runner: Any, sample: Any, out: Path) -> None:
        """Write ground truth and prediction."""
        runner.visualizer.dataset_meta = runner.test_dataloader.dataset.metainfo
        image = (mmcv.imread(sample.img_path, channel_order='rgb') if self.photographs
                 else np.full((*sample.ori_shape, 3), GREY, np.uint8))
        runner.visualizer.add_datasample(out.stem, image, sample, pred_score_thr=self.score, out_file=str(out))
