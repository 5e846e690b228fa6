"""What all networks here have in common: the interface, the initialisation, stages of blocks."""
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import nn

HE_NORMAL = [dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu', distribution='normal'),
             dict(type='Constant', layer='BatchNorm2d', val=1, bias=0)]


class Network(BaseModule):
    """Images (B, 3, H, W) to a tuple of one feature map (B, A, h, w), as it enters global average pooling.

    Args:
        init_cfg: what ``init_weights`` does; default He normal over the fan-out, as the papers of these networks.

    Attributes:
        out_channels: A.
    """

    out_channels: int

    def __init__(self, init_cfg: Any = None) -> None:
        super().__init__(HE_NORMAL if init_cfg is None else init_cfg)


def blocks_per_stage(depth: int, block_layers: int, other_layers: int) -> int:
    """How many blocks each of three equal stages has in a network of ``depth`` layers.

    Raises:
        ValueError: no whole number of blocks makes this depth.
    """
    blocks, rest = divmod(depth - other_layers, 3 * block_layers)
    if rest or blocks < 1:
        raise ValueError(f'depth must be {3 * block_layers} n + {other_layers} with n >= 1, got {depth}')
    return blocks


def three_stages(block: Callable[[int, int, int], nn.Module], channels: Sequence[int], blocks: int,
                 first_stride: int = 1) -> nn.Sequential:
    """Three stages of ``blocks`` times ``block(inputs, outputs, stride)``, the last two at half the resolution each.

    ``channels`` are those that enter the first stage and those that leave each one.
    """
    stages = nn.Sequential()
    for inputs, outputs, stride in zip(channels[:-1], channels[1:], (first_stride, 2, 2), strict=True):
        same = [block(outputs, outputs, 1) for _ in range(blocks - 1)]
        stages.append(nn.Sequential(block(inputs, outputs, stride), *same))
    return stages


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size at stride 1; a batch normalisation follows or precedes, so it has no bias."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The option-B shortcut (He et al., 2016): the identity, or a 1x1 convolution where the shape changes."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
