"""Every image by itself: mean 0, root mean square 1."""
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class StandardizeImage(BaseTransform):
    """Subtract the mean over all pixels and channels, divide by the root mean square: the Pi-model's SVHN.

    An image of one value becomes 0.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``img``; float32."""
        image = results['img'].astype(np.float64)
        image -= image.mean()
        size = np.sqrt(np.square(image).mean())
        results['img'] = (image / size if size > 0 else image).astype(np.float32)
        return results
