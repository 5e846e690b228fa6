"""ResNet for CIFAR (He et al., 2016, section 4.2): 6n+2 layers, 16-32-64 channels."""
from functools import partial
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.network import Network, blocks_per_stage, convolution, projection, three_stages


class BasicBlock(nn.Module):
    """Basic block: two 3x3 convolutions with dropout between them, a shortcut, and ReLU after their sum."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float = 0.0) -> None:
        super().__init__()
        between = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(dropout))  # one module: stable state-dict keys
        self.residual = nn.Sequential(
            convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), between,
            convolution(outputs, outputs, 3), nn.BatchNorm2d(outputs))
        self.shortcut = projection(inputs, outputs, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the block."""
        return self.relu(self.residual(x) + self.shortcut(x))


@MODELS.register_module()
class ResNetCifar(Network):
    """ResNet for CIFAR with 6n+2 layers and 1x1 convolutions in shortcuts that change shape, as counted in Table 3.

    Args:
        depth: 32 and 110 in the paper.
        width: multiplier of the channels of He et al.; 1 in the paper.
        first_stride: stride of the first stage; 2 makes small experiments about four times as fast.
        dropout: dropout probability between the convolutions of a block; 0.3 in Table 5.
    """

    block: type[nn.Module] = BasicBlock

    def __init__(self, depth: int, width: int = 1, first_stride: int = 1, dropout: float = 0.0,
                 init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        blocks = blocks_per_stage(depth, block_layers=2, other_layers=2)
        channels = [width * channels for channels in (16, 16, 32, 64)]
        self.out_channels = channels[-1]
        self.stem = nn.Sequential(convolution(3, channels[0], 3), nn.BatchNorm2d(channels[0]), nn.ReLU(inplace=True))
        self.stages = three_stages(partial(self.block, dropout=dropout), channels, blocks, first_stride)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the feature map."""
        return (self.stages(self.stem(images)),)
