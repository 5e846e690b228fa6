"""Visualisation of image, ground truth and prediction side by side."""
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.registry import HOOKS

from isda_seg.runtime.pictures import PicturesHook

HEADER = 18  # pixels
VOID = (0, 0, 0)


@HOOKS.register_module()
class SideBySideHook(PicturesHook):
    """Write ``<image name>.png`` for test images; arguments as in ``PicturesHook``."""

    def draw(self, runner: Any, sample: Any, out: Path) -> None:
        """Write image, ground truth (if the image has labels) and prediction."""
        image: Any = cv2.imread(sample.img_path)
        truth: Any
        predicted: Any
        truth, predicted = (None if name not in sample else sample.get(name).data.squeeze().cpu().numpy()
                            for name in ('gt_sem_seg', 'pred_sem_seg'))
        palette = runner.test_dataloader.dataset.metainfo['palette']
        cv2.imwrite(str(out), side_by_side(image, truth, predicted, palette))


def side_by_side(image: np.ndarray, truth: np.ndarray | None, predicted: np.ndarray, palette: list[Any]) -> np.ndarray:
    """Combine an image (H, W, 3) BGR and label maps (H, W) into one captioned image (H + HEADER, 3 W, 3) BGR.

    Void pixels are black. Without ground truth the result is (H + HEADER, 2 W, 3).
    """
    panels = []
    maps = [('ground truth', truth), ('prediction', predicted)]
    for caption, panel in (('image', image), *((name, paint(labels, palette)) for name, labels in maps
                                               if labels is not None)):
        panel = cv2.copyMakeBorder(panel, HEADER, 0, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        cv2.putText(panel, caption, (4, HEADER - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        panels.append(panel)
    return np.hstack(panels)


def paint(labels: np.ndarray, palette: list[Any]) -> np.ndarray:
    """Colour labels (H, W) by an RGB palette (C, 3), as BGR; labels outside the palette are black."""
    colours = np.array([*palette, VOID], dtype=np.uint8)[:, ::-1]
    known = (labels >= 0) & (labels < len(palette))
    return np.ascontiguousarray(colours[np.where(known, labels, len(palette))])
