"""Per-image standardisation."""
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class StandardizeImage(BaseTransform):
    """Standardise an image to mean 0 and root mean square 1 over all pixels and channels, as the Pi-model on SVHN.

    A constant image becomes 0.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Standardise ``img`` and convert it to float32."""
        image = results['img'].astype(np.float64)
        image -= image.mean()
        size = np.sqrt(np.square(image).mean())
        results['img'] = (image / size if size > 0 else image).astype(np.float32)
        return results
