"""Wide residual networks (Zagoruyko and Komodakis, 2016): pre-activation blocks, 6n+4 layers, width factor k."""
from functools import partial
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.network import Network, blocks_per_stage, convolution, three_stages


class WideBlock(nn.Module):
    """Two BN-ReLU-conv with dropout in between; a shortcut that changes shape starts after the first BN-ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.activate = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.residual = nn.Sequential(
            convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
            nn.Dropout(dropout), convolution(outputs, outputs, 3))
        self.shortcut = None if stride == 1 and inputs == outputs else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the block."""
        active = self.activate(x)
        return self.residual(active) + (x if self.shortcut is None else self.shortcut(active))


@MODELS.register_module()
class WideResNet(Network):
    """Wide residual network, called WRN-<depth>-<width>.

    Args:
        depth: 6n+4; 16 and 28 in the paper.
        width: k; 8 and 10 in the paper. A = 64 k.
        dropout: dropout probability between the convolutions of a block; 0.3 for WRN-28-10 in the paper.
        init_cfg: as in ``Network``.

    Raises:
        ValueError: ``depth`` is not 6n+4.
    """

    def __init__(self, depth: int, width: int, dropout: float = 0.0, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        blocks = blocks_per_stage(depth, block_layers=2, other_layers=4)
        block = partial(WideBlock, dropout=dropout)
        self.out_channels = 64 * width
        self.stem = convolution(3, 16, 3)
        self.stages = three_stages(block, (16, 16 * width, 32 * width, 64 * width), blocks)
        self.final = nn.Sequential(nn.BatchNorm2d(self.out_channels), nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the feature map."""
        return (self.final(self.stages(self.stem(images))),)
