"""SE-ResNet for CIFAR (Hu et al., 2018): residual blocks with squeeze-and-excitation."""
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.resnet_cifar import BasicBlock, ResNetCifar

REDUCTION = 16


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation: multiply each channel by a gate in (0, 1) computed from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, channels // REDUCTION), nn.ReLU(inplace=True),
            nn.Linear(channels // REDUCTION, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated channels."""
        return x * self.gate(x)[:, :, None, None]


class SEBlock(BasicBlock):
    """Basic block with squeeze-and-excitation on the residual."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float = 0.0) -> None:
        super().__init__(inputs, outputs, stride, dropout)
        self.residual.append(SqueezeExcitation(outputs))


@MODELS.register_module()
class SEResNetCifar(ResNetCifar):
    """ResNetCifar with squeeze-and-excitation (reduction 16) in every block; depth 110 in the paper."""

    block = SEBlock
