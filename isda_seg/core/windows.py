"""Windows of a k x k convolution as features, computed for one band of output rows at a time."""
from collections.abc import Iterator
from functools import reduce
from itertools import product
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from isda_seg.core.moments import ClassMoments, batch_moments, empty_moments, merge
from isda_seg.core.ops.device import on_cpu, widest
from isda_seg.core.ops.precision import at_least_float32

CACHE_ELEMENTS = 1 << 19  # elements of the windows processed at once on a CPU


class Windows(NamedTuple):
    """Lazy windows of a map in the order of ``F.unfold``.

    A k x k convolution equals a 1x1 convolution on its windows, so Eq. 7 applies to it unchanged.
    The map has 1 to 3 spatial dimensions. Its windows are never held in memory together, which would take k * k times
    the memory of the map.
    """
    map: Tensor                # (B, A, h, w), not yet padded
    padding: tuple[int, ...]   # in the format of ``F.pad``
    mode: str                  # padding mode
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, convolution: _ConvNd, features: Tensor) -> 'Windows':
        """Return the windows of the input (B, A, h, w) of a convolution without groups."""
        mode = 'constant' if convolution.padding_mode == 'zeros' else convolution.padding_mode
        return cls(features, tuple(convolution._reversed_padding_repeated_twice), mode, convolution.kernel_size,
                   convolution.stride, convolution.dilation)

    @property
    def shape(self) -> torch.Size:
        """The shape (B, A k k, h', w') at the output size of the convolution."""
        images, channels, *size = self.map.shape
        added = [sum(self.padding[i:i + 2]) for i in range(len(self.padding) - 2, -1, -2)]  # from the last side on
        return torch.Size([images, channels * prod(self.kernel), *(
            (side + more - dilation * (kernel - 1) - 1) // stride + 1 for side, more, kernel, stride, dilation in
            zip(size, added, self.kernel, self.stride, self.dilation, strict=True))])

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the map."""
        return self.map.dtype

    def dim(self) -> int:
        """Return the number of dimensions of ``shape``."""
        return self.map.dim()

    def of_images(self, images: slice) -> 'Windows':
        """Return the windows of a slice of the images, with padding applied."""
        return self._replace(map=F.pad(self.map[images], self.padding, mode=self.mode),
                             padding=(0,) * len(self.padding))

    def patch(self, *sides: slice) -> Tensor:
        """Return the windows at some output positions of padded images: (B, A k k, rows, columns)."""
        within = [[slice(first := side.start * stride + i * dilation, first + (side.stop - side.start - 1) * stride + 1,
                         stride) for i in range(kernel)] for side, kernel, stride, dilation in
                  zip(sides, self.kernel, self.stride, self.dilation, strict=True)]
        every = [slice(None)]
        parts = [self.map[index] for index in product(every, every, *within)]
        return torch.stack(parts, dim=2).flatten(1, 2)

    def bands(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Yield images, output rows and their windows.

        A band is a few rows of one image on a CPU, and rows of all images about the size of the map on an accelerator.
        """
        images, channels, height, *others = self.shape
        cpu = on_cpu(self.map)
        rows = max(1, CACHE_ELEMENTS // max(1, channels * prod(others))) if cpu else \
            -(-height // prod(self.kernel))
        for image in ([slice(i, i + 1) for i in range(images)] if cpu else [slice(0, images)]):
            padded = self.of_images(image)
            for start in range(0, height, rows):
                band = slice(start, min(start + rows, height))
                yield image, band, padded.patch(band, *(slice(0, side) for side in others))


@torch.no_grad()
def windowed_moments(windows: Windows, labels: Tensor, num_classes: int, covariance: str,
                     ignore_index: int | None) -> tuple[ClassMoments, Tensor]:
    """Compute ``batch_moments`` of all windows with labels (B, h', w')."""
    dtype = at_least_float32(windows.map)  # also without images: the messages of all ranks have the same size
    nothing = empty_moments(num_classes, windows.shape[1], covariance, dtype, labels.device)
    if labels.is_floating_point():  # ranks exchange counts of one dtype
        nothing = nothing._replace(count=nothing.count.to(widest(labels)))
    parts = (batch_moments(band, labels[images].narrow(-len(windows.kernel), rows.start, band.shape[2]), num_classes,
                           covariance, ignore_index) for images, rows, band in windows.bands())
    none = labels.new_zeros((), dtype=torch.int64)
    return reduce(lambda a, b: (merge(a[0], b[0]), a[1] + b[1]), parts, (nothing, none))
