"""Shared parts of the networks: base class, initialisation, stages of blocks."""
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import nn

HE_NORMAL = [dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu', distribution='normal'),
             dict(type='Constant', layer='BatchNorm2d', val=1, bias=0)]


class Network(BaseModule):
    """Base class of networks that map images (B, 3, H, W) to a tuple of one feature map (B, ``out_channels``, h, w).

    ``init_cfg`` is the config of ``init_weights``; default He normal over the fan-out, as in the networks' papers.
    """

    out_channels: int

    def __init__(self, init_cfg: Any = None) -> None:
        super().__init__(HE_NORMAL if init_cfg is None else init_cfg)


def blocks_per_stage(depth: int, block_layers: int, other_layers: int) -> int:
    """Return the number of blocks in each of three equal stages of a network with ``depth`` layers."""
    blocks, rest = divmod(depth - other_layers, 3 * block_layers)
    if rest or blocks < 1:
        raise ValueError(f'depth must be {3 * block_layers} n + {other_layers} with n >= 1, got {depth}')
    return blocks


def three_stages(block: Callable[[int, int, int], nn.Module], channels: Sequence[int], blocks: int,
                 first_stride: int = 1) -> nn.Sequential:
    """Build three stages of ``blocks`` blocks ``block(inputs, outputs, stride)``; the last two halve the resolution.

    ``channels`` lists the input channels of the first stage and the output channels of each stage.
    """
    stages = nn.Sequential()
    for inputs, outputs, stride in zip(channels[:-1], channels[1:], (first_stride, 2, 2), strict=True):
        same = [block(outputs, outputs, 1) for _ in range(blocks - 1)]
        stages.append(nn.Sequential(block(inputs, outputs, stride), *same))
    return stages


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution without bias that keeps the size at stride 1."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Return the option-B shortcut (He et al., 2016): the identity, or a 1x1 convolution if the shape changes."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
