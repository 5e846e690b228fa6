"""Pictures to look at: ground truth and prediction side by side."""
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

GREY = 235


@HOOKS.register_module()
class DetectionsHook(Hook):
    """Write ``<image name>.png`` for test images: boxes, and masks where there are some.

    Args:
        out_dir: folder of the pictures.
        most: how many of this rank's images, spread evenly over them; None for all.
        photographs: draw on the photograph, or, where its licence does not allow that, on plain grey of its size.
        score: predictions below it are left out.
    """

    def __init__(self, out_dir: str, most: int | None = None, photographs: bool = True, score: float = 0.3) -> None:
        self.out_dir, self.most, self.photographs, self.score = Path(out_dir), most, photographs, score
        self.seen = 0

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Draw this batch's samples."""
        images = len(runner.test_dataloader.sampler)
        runner.visualizer.dataset_meta = runner.test_dataloader.dataset.metainfo
        for sample in outputs or ():
            self.seen += 1
            if not chosen(self.seen - 1, images, self.most):
                continue
            image = (mmcv.imread(sample.img_path, channel_order='rgb') if self.photographs
                     else np.full((*sample.ori_shape, 3), GREY, np.uint8))
            runner.visualizer.add_datasample(
                Path(sample.img_path).stem, image, sample, pred_score_thr=self.score,
                out_file=str(self.out_dir / f'{Path(sample.img_path).stem}.png'))


def chosen(index: int, images: int, most: int | None) -> bool:
    """Whether image ``index`` is one of ``most`` spread evenly over ``images``."""
    return most is None or (index + 1) * most // images > index * most // images
