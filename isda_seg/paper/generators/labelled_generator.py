"""Label-conditional generator."""
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.paper.generators.dcgan import DCGANGenerator
from isda_seg.paper.generators.generator import GeneratorAdapter

NOISE = 100  # dimension of the noise in a code, as in the paper


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
        return self.network(torch.cat([noise, self.attributes_of(z), F.one_hot(y, self.num_classes).to(z)], dim=1))

    def attributes_of(self, z: Tensor) -> Tensor:
        """Return the attributes (N, attributes) of codes (N, z_dim); uniform in [-1, 1] for codes from N(0, 1)."""
        return torch.erf(z[:, self.z_dim - self.attributes:] / math.sqrt(2))
