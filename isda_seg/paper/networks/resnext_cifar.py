"""ResNeXt for CIFAR (Xie et al., 2017, section 5.2): bottlenecks with grouped 3x3 convolutions, 9n+2 layers."""
from functools import partial
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.network import Network, blocks_per_stage, convolution, projection, three_stages


class GroupedBottleneck(nn.Module):
    """Bottleneck with a grouped 3x3 convolution; each group has ``base_width * outputs / 256`` channels."""

    def __init__(self, inputs: int, outputs: int, stride: int, groups: int, base_width: int) -> None:
        super().__init__()
        inner = groups * base_width * outputs // 256
        self.residual = nn.Sequential(
            convolution(inputs, inner, 1), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            convolution(inner, inner, 3, stride, groups), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            convolution(inner, outputs, 1), nn.BatchNorm2d(outputs))
        self.shortcut = projection(inputs, outputs, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the block."""
        return self.relu(self.residual(x) + self.shortcut(x))


@MODELS.register_module()
class ResNeXtCifar(Network):
    """ResNeXt for CIFAR, called ResNeXt-<depth>, <groups>x<base_width>d.

    Args:
        depth: 9n+2; 29 in the paper.
        groups: cardinality; 8 in the paper.
        base_width: channels per group in the first stage; 64 in the paper.
        init_cfg: as in ``Network``.

    Raises:
        ValueError: ``depth`` is not 9n+2.
    """

    out_channels = 1024

    def __init__(self, depth: int = 29, groups: int = 8, base_width: int = 64, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        blocks = blocks_per_stage(depth, block_layers=3, other_layers=2)
        block = partial(GroupedBottleneck, groups=groups, base_width=base_width)
        self.stem = nn.Sequential(convolution(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
        self.stages = three_stages(block, (64, 256, 512, 1024), blocks)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the feature map."""
        return (self.stages(self.stem(images)),)
