"""A generator and a network that are linear, so that what a descent should find can be written down."""
import torch
from torch import nn

from isda_seg.paper.generators.generator import GeneratorAdapter
from isda_seg.paper.visualisation.feature_network import FeatureAdapter

PIXELS = 12  # 3 x 2 x 2


class LinearGenerator(GeneratorAdapter):
    """Codes of 12 numbers to 12 pixels by a rotation; batch normalisation with statistics that leave them alone."""

    z_dim, resolution = PIXELS, 2

    def __init__(self):
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(PIXELS, PIXELS, generator=torch.Generator().manual_seed(1)))[0]
        self.rotation, self.norm = nn.Parameter(rotation), nn.BatchNorm2d(3, eps=0)

    def forward(self, z, y=None):
        return self.norm((z @ self.rotation).unflatten(1, (3, 2, 2)))


def linear_network(features=PIXELS):
    """Pixels to ``features`` numbers by orthonormal rows; with a batch normalisation as above."""
    network = nn.Sequential(nn.BatchNorm2d(3, eps=0), nn.Flatten(), nn.Linear(PIXELS, features, bias=False))
    with torch.no_grad():
        rows = torch.linalg.qr(torch.randn(PIXELS, PIXELS, generator=torch.Generator().manual_seed(2)))[0]
        network[2].weight.copy_(rows[:features])
    return FeatureAdapter(network, [0.5] * 3, [0.5] * 3).eval()
