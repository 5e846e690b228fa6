"""Generator interface of the reverse mapping: from codes to images."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GeneratorAdapter(nn.Module):
    """Generator from codes (N, z_dim) with distribution N(0, 1) to RGB images (N, 3, H, W).

    Attributes:
        z_dim: dimension of a code.
        resolution: height and width of the images.
        num_classes: number of classes of a conditional generator; None for an unconditional one.
        value_range: pixel range of the output of ``forward``.
    """

    z_dim: int
    resolution: int
    num_classes: int | None = None
    value_range: tuple[float, float] = (-1.0, 1.0)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Generate images (N, 3, H, W) in ``value_range`` from codes z (N, z_dim) and labels y (N,), if conditional."""
        raise NotImplementedError

    def one_hot(self, y: Tensor | None) -> Tensor:
        """Return one-hot labels (N, num_classes) of labels y (N,).

        Raises:
            ValueError: missing labels, or an unconditional generator.
        """
        if self.num_classes is None:
            raise ValueError(f'{type(self).__name__} has no classes, so it takes no labels')
        if y is None:
            raise ValueError(f'{type(self).__name__} generates images of given classes: pass labels y of shape (N,)')
        return F.one_hot(y, self.num_classes)

    def images(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Generate images in [0, 1].

        Raises:
            ValueError: wrong code dimension, or missing or invalid labels.
        """
        if z.dim() != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f'codes (N, {self.z_dim}) expected, got {tuple(z.shape)}')
        if self.num_classes is not None:
            if y is None or y.shape != z.shape[:1] or not bool(((y >= 0) & (y < self.num_classes)).all()):
                raise ValueError(f'this generator needs a label in 0..{self.num_classes - 1} for each of {len(z)} '
                                 f'codes, got {None if y is None else y.tolist()}')
        low, high = self.value_range
        return (self(z, y) - low) / (high - low)


def normalised_codes(z: Tensor) -> Tensor:
    """Normalise codes (N, Z) to mean 0 and standard deviation 1 over their Z entries.

    The result is invariant to the scale of ``z``, and its gradient is proportional to 1 / scale. A descent step with
    learning rate r rotates the code by about r / scale^2 radians. As in the authors' code (Appendix E), the standard
    deviation is the unbiased one.

    Raises:
        ValueError: codes have fewer than two entries.
    """
    if z.dim() != 2 or z.shape[1] < 2:
        raise ValueError(f'codes (N, Z) with at least 2 entries expected, got {tuple(z.shape)}')
    return (z - z.mean(dim=1, keepdim=True)) / z.std(dim=1, keepdim=True)


def sample_codes(count: int, z_dim: int, seed: int) -> Tensor:
    """Sample codes (count, z_dim) from N(0, 1), determined by the seed."""
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(seed))
