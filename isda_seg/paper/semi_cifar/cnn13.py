"""CNN-13 (Table 10), the network of the semi-supervised experiments."""
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.network import Network, convolution

SLOPE = 0.1  # negative slope of the leaky ReLU
HE_LEAKY = [dict(type='Kaiming', layer='Conv2d', a=SLOPE, mode='fan_out', nonlinearity='leaky_relu',
                 distribution='normal'),
            dict(type='Constant', layer='BatchNorm2d', val=1, bias=0)]


@MODELS.register_module()
class CNN13(Network):
    """CNN-13: nine convolutions in three groups with two max-poolings; maps (B, 3, 32, 32) to (B, 128, 6, 6).

    Table 10 does not mention normalisation; all implementations that it follows have batch normalisation between
    convolution and leaky ReLU. Dropout acts on single values instead of channels, as in the code of VAT and in PyTorch
    versions of Mean Teacher.

    Args:
        width: multiplier of all channel numbers; 1 in the paper.
        dropout: dropout probability after each max-pooling.
        noise: standard deviation of Gaussian noise added to the training images. It is not in Table 10; the original
            Pi-model, Temporal Ensembling and Mean Teacher use 0.15.
        init_cfg: as in ``Network``; default He normal over the fan-out for this leaky ReLU.

    Raises:
        ValueError: ``width`` leaves a layer without channels, or ``noise`` is negative.
    """

    def __init__(self, width: float = 1.0, dropout: float = 0.5, noise: float = 0.0, init_cfg: Any = None) -> None:
        super().__init__(HE_LEAKY if init_cfg is None else init_cfg)
        channels = [round(width * number) for number in (128, 256, 512)]
        if channels[0] < 1 or noise < 0:
            raise ValueError(f'CNN13 needs a width of about 1/128 or more and noise >= 0, got width={width} and '
                             f'noise={noise}')
        narrow, middle, wide = channels
        self.out_channels, self.noise = narrow, noise
        self.layers = nn.Sequential(
            *(_layer(inputs, narrow, 3) for inputs in (3, narrow, narrow)), nn.MaxPool2d(2), nn.Dropout(dropout),
            *(_layer(inputs, middle, 3) for inputs in (narrow, middle, middle)), nn.MaxPool2d(2), nn.Dropout(dropout),
            _layer(middle, wide, 3, padding=0), _layer(wide, middle, 1), _layer(middle, narrow, 1))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the feature map."""
        if self.training and self.noise > 0:
            images = images + self.noise * torch.randn_like(images)
        return (self.layers(images),)


def _layer(inputs: int, outputs: int, kernel: int, padding: int | None = None) -> nn.Sequential:
    """Return convolution, batch normalisation and leaky ReLU; by default the padding keeps the size."""
    conv = convolution(inputs, outputs, kernel)
    if padding is not None:
        conv.padding = (padding, padding)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE, inplace=True))
