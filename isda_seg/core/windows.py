"""What a k x k convolution sees: the window at each output position as one feature, a band of rows at a time."""
from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.core.moments import ClassMoments, batch_moments, empty_moments, merge
from isda_seg.core.ops.device import on_host

CACHED = 1 << 19  # elements of the windows worked on at once on a host


class Windows(NamedTuple):
    """The windows of a map in the order of ``F.unfold``, so that a k x k classifier is a 1x1 one on them (Eq. 7).

    They are never all in memory, which would take k k times that of the map.
    """
    map: Tensor                # (B, A, h, w)
    padding: tuple[int, ...]   # as ``F.pad`` takes it, still to be added
    mode: str                  # of the padding
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, convolution: nn.Conv2d, features: Tensor) -> 'Windows':
        """Those of the (B, A, h, w) that enter a convolution without groups."""
        mode = 'constant' if convolution.padding_mode == 'zeros' else convolution.padding_mode
        return cls(features, tuple(convolution._reversed_padding_repeated_twice), mode, convolution.kernel_size,
                   convolution.stride, convolution.dilation)

    @property
    def shape(self) -> torch.Size:
        """(B, A k k, h', w'), as the convolution's output has them."""
        images, channels, *size = self.map.shape
        added = self.padding[2] + self.padding[3], self.padding[0] + self.padding[1]
        return torch.Size([images, channels * self.kernel[0] * self.kernel[1], *(
            (side + more - dilation * (kernel - 1) - 1) // stride + 1 for side, more, kernel, stride, dilation in
            zip(size, added, self.kernel, self.stride, self.dilation, strict=True))])

    @property
    def dtype(self) -> torch.dtype:
        """Of the map."""
        return self.map.dtype

    def dim(self) -> int:
        """That of a map."""
        return 4

    def of_images(self, images: slice) -> 'Windows':
        """Those of some images, padded."""
        return self._replace(map=F.pad(self.map[images], self.padding, mode=self.mode), padding=(0, 0, 0, 0))

    def patch(self, rows: slice, columns: slice) -> Tensor:
        """Of padded images, the windows at some output positions: (B, A k k, rows, columns)."""
        within = [[slice(first := side.start * stride + i * dilation, first + (side.stop - side.start - 1) * stride + 1,
                         stride) for i in range(kernel)] for side, kernel, stride, dilation in
                  zip((rows, columns), self.kernel, self.stride, self.dilation, strict=True)]
        parts = [self.map[:, :, down, along] for down in within[0] for along in within[1]]
        return torch.stack(parts, dim=2).flatten(1, 2)

    def bands(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Images, output rows and the windows there: on a host an image's few rows, on a device about a map's worth."""
        images, channels, height, width = self.shape
        host = on_host(self.map)
        rows = max(1, CACHED // max(1, channels * width)) if host else -(-height // (self.kernel[0] * self.kernel[1]))
        for image in ([slice(i, i + 1) for i in range(images)] if host else [slice(0, images)]):
            padded = self.of_images(image)
            for start in range(0, height, rows):
                band = slice(start, min(start + rows, height))
                yield image, band, padded.patch(band, slice(0, width))


@torch.no_grad()
def windowed_moments(windows: Windows, labels: Tensor, num_classes: int, covariance: str,
                     ignore_index: int | None) -> tuple[ClassMoments, Tensor]:
    """``batch_moments`` of all windows; labels (B, h', w')."""
    nothing = empty_moments(num_classes, windows.shape[1], covariance, torch.float32, labels.device)
    found = (batch_moments(band, labels[images, rows], num_classes, covariance, ignore_index)
             for images, rows, band in windows.bands())
    return reduce(lambda a, b: (merge(a[0], b[0]), a[1] + b[1]), found, (nothing, labels.new_zeros(())))
