"""What the reverse mapping asks of a generator: codes in, images out."""
import torch
from torch import Tensor, nn


class GeneratorAdapter(nn.Module):
    """Codes (N, z_dim), drawn from N(0, 1), to images (N, 3, H, W) in RGB.

    Attributes:
        z_dim: numbers in a code.
        resolution: H = W of the images.
        num_classes: C of a conditional generator, which needs labels; None of one that takes none.
        value_range: of the pixels that ``forward`` returns.
    """

    z_dim: int
    resolution: int
    num_classes: int | None = None
    value_range: tuple[float, float] = (-1.0, 1.0)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images (N, 3, H, W) in ``value_range`` of codes z (N, z_dim) and, of a conditional generator, labels y (N,).
        """
        raise NotImplementedError

    def images(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The same in [0, 1].

        Raises:
            ValueError: codes of another length; labels that a conditional generator lacks or does not know.
        """
        if z.dim() != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f'codes (N, {self.z_dim}) expected, got {tuple(z.shape)}')
        if self.num_classes is not None:
            if y is None or y.shape != z.shape[:1] or not bool(((y >= 0) & (y < self.num_classes)).all()):
                raise ValueError(f'this generator needs a label in 0..{self.num_classes - 1} for each of {len(z)} '
                                 f'codes, got {None if y is None else y.tolist()}')
        low, high = self.value_range
        return (self(z, y) - low) / (high - low)


def normalized_codes(z: Tensor) -> Tensor:
    """Codes (N, Z) with mean 0 and standard deviation 1 over their Z numbers, as a draw from N(0, 1) nearly has.

    The result does not change with the scale of ``z``, and its gradient falls as 1 / scale: a descent turns the code,
    and with a learning rate r its step is about r / scale^2 radians, whatever that scale is. (Appendix E; the authors'
    code divides by the unbiased standard deviation too.)

    Raises:
        ValueError: codes of fewer than two numbers.
    """
    if z.dim() != 2 or z.shape[1] < 2:
        raise ValueError(f'codes (N, Z) of at least 2 numbers expected, got {tuple(z.shape)}')
    return (z - z.mean(dim=1, keepdim=True)) / z.std(dim=1, keepdim=True)


def draw_codes(count: int, z_dim: int, seed: int) -> Tensor:
    """``count`` codes (count, z_dim) from N(0, 1), the same for the same seed."""
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(seed))
