"""SE-ResNet for CIFAR (Hu et al., 2018): each residual is scaled channel by channel by a gate it computes."""
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.networks.resnet_cifar import BasicBlock, ResNetCifar

REDUCTION = 16


class SqueezeExcitation(nn.Module):
    """x times a gate in (0, 1) per image and channel, from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, channels // REDUCTION), nn.ReLU(inplace=True),
            nn.Linear(channels // REDUCTION, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)[:, :, None, None]


class SEBlock(BasicBlock):
    """A basic block whose residual is gated before it meets the shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float = 0.0) -> None:
        super().__init__(inputs, outputs, stride, dropout)
        self.residual.append(SqueezeExcitation(outputs))


@MODELS.register_module()
class SEResNetCifar(ResNetCifar):
    """ResNetCifar (depth 110 in the paper) with a squeeze-and-excitation of reduction 16 in every block."""

    block = SEBlock
