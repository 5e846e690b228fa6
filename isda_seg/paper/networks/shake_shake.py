"""Shake-Shake (Gastaldi, 2017): random mixing of two branches, per image and independently in the backward pass."""
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.network import Network, blocks_per_stage, convolution, three_stages


class Shake(torch.autograd.Function):
    """Compute ``alpha a + (1 - alpha) b`` with the gradients of ``beta a + (1 - beta) b``."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        """Mix with alpha."""
        ctx.save_for_backward(beta)
        return alpha * a + (1 - alpha) * b

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Split the gradient with beta."""
        beta, = ctx.saved_tensors
        return beta * grad, (1 - beta) * grad, None, None


class OffsetShortcut(nn.Module):
    """Shortcut of two 1x1 convolutions on strided pixels, the second one shifted by one pixel, concatenated."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.even, self.odd = convolution(inputs, outputs // 2, 1), convolution(inputs, outputs // 2, 1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the block."""
        x = F.relu(x)
        shifted = F.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))
        every = slice(None, None, self.stride)  # equals average pooling over one pixel
        return self.norm(torch.cat([self.even(x[:, :, every, every]), self.odd(shifted[:, :, every, every])], dim=1))


class ShakeBlock(nn.Module):
    """Shake-Shake block: two branches of ReLU-conv-BN-ReLU-conv-BN, mixed, plus a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, idle_shortcut: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.ReLU(), convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs),
                          nn.ReLU(inplace=True), convolution(outputs, outputs, 3), nn.BatchNorm2d(outputs))
            for _ in range(2))
        self.changes_shape = stride != 1 or inputs != outputs
        if self.changes_shape or idle_shortcut:
            self.shortcut = OffsetShortcut(inputs, outputs, stride).requires_grad_(self.changes_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the block."""
        a, b = (branch(x) for branch in self.branches)
        if self.training:
            alpha, beta = torch.rand(2, len(x), 1, 1, 1, dtype=a.dtype, device=a.device)
            mixed = Shake.apply(a, b, alpha, beta)
        else:
            mixed = (a + b) / 2
        return mixed + (self.shortcut(x) if self.changes_shape else x)


@MODELS.register_module()
class ShakeShake(Network):
    """Shake-Shake-Image network, called Shake-Shake-<depth> 2x<channels>d.

    Args:
        channels: channels of a branch in the first stage; 32 and 112 in the paper. A = 4 * channels.
        depth: 6n+2; 26 in the paper.
        idle_shortcuts: add a frozen, unused shortcut to blocks that add their input unchanged. Table 2 includes these
            parameters (3.0 and 36.4 M; without them 2.9 and 35.6 M), Table 3 does not include their multiply-adds. The
            output does not change.
        init_cfg: as in ``Network``.

    Raises:
        ValueError: ``depth`` is not 6n+2, or ``channels`` is odd.
    """

    def __init__(self, channels: int, depth: int = 26, idle_shortcuts: bool = True, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        if channels % 2:
            raise ValueError(f'channels must be even, because a shortcut concatenates two halves, got {channels}')
        blocks = blocks_per_stage(depth, block_layers=2, other_layers=2)
        block = partial(ShakeBlock, idle_shortcut=idle_shortcuts)
        self.out_channels = 4 * channels
        self.stem = nn.Sequential(convolution(3, 16, 3), nn.BatchNorm2d(16))
        self.stages = three_stages(block, (16, channels, 2 * channels, 4 * channels), blocks)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the feature map."""
        return (self.relu(self.stages(self.stem(images))),)
