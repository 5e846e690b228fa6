"""Generators and critic of DCGAN (Radford et al., 2016) as used in WGAN, for any power-of-two resolution."""
import math

import torch
from torch import Tensor, nn

from isda_seg.paper.generators.generator import GeneratorAdapter

NOISE = 100   # dimension of the noise in a code, as in the papers
SMALLEST = 4  # H = W of the first map of the generator and the last one of the critic


class DCGANGenerator(GeneratorAdapter):
    """Generator of transposed convolutions that double the resolution.

    Args:
        resolution: H = W of the images, a power of two from 8.
        channels: 3, or 1 for greyscale, returned as three equal channels.
        z_dim: dimension of a code; 100 in the papers.
        width: channels of the last hidden map; 64 in the papers.
    """

    def __init__(self, resolution: int = 32, channels: int = 3, z_dim: int = NOISE, width: int = 64) -> None:
        super().__init__()
        self.resolution, self.z_dim = resolution, z_dim
        widths = hidden_widths(resolution, width)[::-1]
        layers: list[nn.Module] = [nn.Unflatten(1, (z_dim, 1, 1)),
                                   nn.ConvTranspose2d(z_dim, widths[0], SMALLEST, bias=False)]
        for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True),
                       nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True),
                                    nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=False), nn.Tanh())
        self.apply(initialise)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Generate images from codes; labels are ignored."""
        return self.layers(z).expand(-1, 3, -1, -1)


class LabelledGenerator(GeneratorAdapter):
    """DCGAN generator of concatenated code, attributes and one-hot label.

    Args:
        num_classes: C.
        attributes: number of attributes at the end of a code, for InfoGAN; see ``attributes_of``.
        resolution, channels, z_dim, width: as in ``DCGANGenerator``; z_dim includes the attributes.
    """

    def __init__(self, num_classes: int, attributes: int = 0, resolution: int = 32, channels: int = 3,
                 z_dim: int = NOISE, width: int = 64) -> None:
        super().__init__()
        self.num_classes, self.attributes, self.resolution, self.z_dim = num_classes, attributes, resolution, z_dim
        self.network = DCGANGenerator(resolution, channels, z_dim + num_classes, width)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Generate images from codes z (N, z_dim) and labels y (N,)."""
        noise = z[:, :self.z_dim - self.attributes]
        return self.network(torch.cat([noise, self.attributes_of(z), self.one_hot(y).to(z)], dim=1))

    def attributes_of(self, z: Tensor) -> Tensor:
        """Return the attributes (N, attributes) of codes (N, z_dim); uniform in [-1, 1] for codes from N(0, 1)."""
        return torch.erf(z[:, self.z_dim - self.attributes:] / math.sqrt(2))


class Critic(nn.Sequential):
    """Critic from images (N, channels, H, W) to unbounded outputs (N, outputs).

    Args:
        resolution, channels, width: as in ``DCGANGenerator``; any number of channels.
        outputs: outputs per image; 1, the score, in WGAN.
    """

    def __init__(self, resolution: int = 32, channels: int = 3, width: int = 64, outputs: int = 1) -> None:
        widths = hidden_widths(resolution, width)
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after),
                       nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(*layers, nn.Conv2d(widths[-1], outputs, SMALLEST, bias=False), nn.Flatten(1))
        self.apply(initialise)


def hidden_widths(resolution: int, width: int) -> list[int]:
    """Return the channels of the hidden maps, from the largest map to the 4 x 4 map.

    Raises:
        ValueError: the resolution is not a power of two of at least 8.
    """
    doublings = math.log2(resolution / SMALLEST) if resolution > SMALLEST else 0
    if doublings < 1 or doublings % 1:
        raise ValueError(f'DCGAN supports square images of 8, 16, 32, ... pixels, got {resolution}. Resize the images '
                         'in the test pipeline')
    return [width * 2 ** i for i in range(int(doublings))]


def initialise(module: nn.Module) -> None:
    """Initialise as in DCGAN: weights from N(0, 0.02), batch normalisation from N(1, 0.02)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
