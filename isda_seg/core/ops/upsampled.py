"""Labels on the feature grid, and the upsampling from this grid to the size of the logits."""
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


def resize(values: Tensor, size: tuple[int, ...], align_corners: bool, factor: float | None = None) -> Tensor:
    """Resize (B, C, h, w) to (B, C, *size) bilinearly, as heads of MMSegmentation resize their logits.

    Points are resized linearly and volumes trilinearly. A volume with a depth of 1 is resized as an image, so both give
    bitwise equal results. ``factor`` replaces the ratio of the sizes, and may give another size.
    """
    if tuple(values.shape[2:]) == tuple(size):
        return values
    if len(size) > 2 and values.shape[2] == size[0] == 1:
        return resize(values[:, :, 0], size[1:], align_corners, factor)[:, :, None]
    if len(size) > 3:
        raise RuntimeError(f'PyTorch interpolates at most 3 spatial dimensions, the labels have {len(size)}: pass '
                           f'labels of the size {tuple(values.shape[2:])} of the features')
    mode = ('linear', 'bilinear', 'trilinear')[len(size) - 1]
    return F.interpolate(values, None if factor else size, factor, mode, align_corners)


class Grid(NamedTuple):
    """Labels on the feature grid, and how a head upsamples its logits from that grid."""
    labels: Tensor       # (N, h, w) int64
    align_corners: bool

    def upsample(self, values: Tensor, size: tuple[int, ...]) -> Tensor:
        """Resize values (N, C, h, w) to (N, C, *size)."""
        return resize(values, size, self.align_corners)
