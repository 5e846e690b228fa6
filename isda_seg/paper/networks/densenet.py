"""DenseNet-BC (Huang et al., 2017): dense blocks with bottlenecks and compression 0.5."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.network import Network, blocks_per_stage, convolution

IMAGENET_BLOCKS = {121: (6, 12, 24, 16), 265: (6, 12, 64, 48)}


class DenseLayer(nn.Module):
    """Dense layer: BN-ReLU-1x1 to 4 * growth channels, BN-ReLU-3x3 to growth channels, concatenated to the input."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.new = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), convolution(inputs, 4 * growth, 1),
            nn.BatchNorm2d(4 * growth), nn.ReLU(inplace=True), convolution(4 * growth, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate the input and the new channels."""
        return torch.cat([x, self.new(x)], dim=1)


def transition(inputs: int) -> nn.Sequential:
    """Return a transition layer, which halves the channels and the resolution."""
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), convolution(inputs, inputs // 2, 1),
                         nn.AvgPool2d(2))


class DenseNetBC(Network):
    """DenseNet-BC: stem, dense blocks with transitions between them, final BN-ReLU.

    Args:
        stem: module that maps images to (B, 2 growth, h, w).
        blocks: number of layers in each dense block.
        growth: number of channels that each layer adds.
        init_cfg: as in ``Network``.
    """

    def __init__(self, stem: nn.Module, blocks: Sequence[int], growth: int, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.stem, self.dense = stem, nn.Sequential()
        channels = 2 * growth
        for number, layers in enumerate(blocks):
            if number:
                self.dense.append(transition(channels))
                channels //= 2
            self.dense.append(nn.Sequential(*(DenseLayer(channels + i * growth, growth) for i in range(layers))))
            channels += layers * growth
        self.final = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.out_channels = channels

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the feature map."""
        return (self.final(self.dense(self.stem(images))),)


@MODELS.register_module()
class DenseNetCifar(DenseNetBC):
    """DenseNet-BC for CIFAR with three equal blocks; depth 100 and growth 12 in the paper.

    Raises:
        ValueError: ``depth`` is not 6n+4.
    """

    def __init__(self, depth: int = 100, growth: int = 12, init_cfg: Any = None) -> None:
        layers = blocks_per_stage(depth, block_layers=2, other_layers=4)
        super().__init__(convolution(3, 2 * growth, 3), [layers] * 3, growth, init_cfg)


@MODELS.register_module()
class DenseNetImageNet(DenseNetBC):
    """DenseNet-BC-121 or -265 for ImageNet with growth 32.

    Raises:
        ValueError: ``depth`` is neither 121 nor 265.
    """

    def __init__(self, depth: int, init_cfg: Any = None) -> None:
        if depth not in IMAGENET_BLOCKS:
            raise ValueError(f'depth must be one of {sorted(IMAGENET_BLOCKS)}, got {depth}')
        stem = nn.Sequential(convolution(3, 64, 7, stride=2), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                             nn.MaxPool2d(3, stride=2, padding=1))
        super().__init__(stem, IMAGENET_BLOCKS[depth], growth=32, init_cfg=init_cfg)
