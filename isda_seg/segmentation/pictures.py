"""Pictures to look at: image, ground truth and prediction side by side."""
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

HEADER = 18  # pixels
VOID = (0, 0, 0)


@HOOKS.register_module()
class SideBySideHook(Hook):
    """Write ``<image name>.png`` for test images.

    Args:
        out_dir: folder of the pictures.
        most: how many of this rank's images, spread evenly over them; None for all.
    """

    def __init__(self, out_dir: str, most: int | None = None) -> None:
        self.out_dir, self.most, self.seen = Path(out_dir), most, 0

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Draw this batch's samples."""
        palette = runner.test_dataloader.dataset.metainfo['palette']
        images = len(runner.test_dataloader.sampler)
        for sample in outputs or ():
            self.seen += 1
            if not chosen(self.seen - 1, images, self.most):
                continue
            image = cv2.imread(sample.img_path)
            truth = sample.gt_sem_seg.data.squeeze().cpu().numpy()
            predicted = sample.pred_sem_seg.data.squeeze().cpu().numpy()
            self.out_dir.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(self.out_dir / f'{Path(sample.img_path).stem}.png'),
                        side_by_side(image, truth, predicted, palette))


def chosen(index: int, images: int, most: int | None) -> bool:
    """Whether image ``index`` is one of ``most`` spread evenly over ``images``."""
    return most is None or (index + 1) * most // images > index * most // images


def side_by_side(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, palette: list) -> np.ndarray:
    """Image (H, W, 3) BGR, label maps (H, W) -> one captioned picture (H + HEADER, 3 W, 3) BGR; void is black."""
    panels = []
    for caption, panel in (('image', image), ('ground truth', paint(truth, palette)),
                           ('prediction', paint(predicted, palette))):
        panel = cv2.copyMakeBorder(panel, HEADER, 0, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        cv2.putText(panel, caption, (4, HEADER - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        panels.append(panel)
    return np.hstack(panels)


def paint(labels: np.ndarray, palette: list) -> np.ndarray:
    """Labels (H, W) in the colours of an RGB palette (C, 3), as BGR; everything outside the palette is black."""
    colours = np.array([*palette, VOID], dtype=np.uint8)[:, ::-1]
    known = (labels >= 0) & (labels < len(palette))
    return np.ascontiguousarray(colours[np.where(known, labels, len(palette))])
