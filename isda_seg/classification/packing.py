"""What leaves a pipeline: one image tensor and its label."""
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackImages(BaseTransform):
    """``img`` (H, W, 3) and ``gt_label`` become ``inputs`` (3, H, W), still uint8 BGR, and ``labels``, an int."""

    def transform(self, results: dict) -> dict:
        """A new dict of just the two."""
        image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        return dict(inputs=torch.from_numpy(image), labels=results['gt_label'])
