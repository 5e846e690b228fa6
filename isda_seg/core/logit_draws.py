"""Draws of Eq. 5 in logit space: C numbers of noise where a feature would need A, with the same law."""
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from isda_seg.core.functional import isda_logits
from isda_seg.core.ops.checks import at_least_float32, check_labels, check_pair, labelled
from isda_seg.core.ops.device import widest
from isda_seg.core.ops.eigen import symmetric_eigen
from isda_seg.core.ops.precision import full_precision
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.sampling import square_root
from isda_seg.core.schedule import check_strength


class LogitNoise:
    """What moves the logits of a feature of class y along Sigma_y: ``N(0, strength W Sigma_y W^T)`` (Eq. 5).

    The gradient that reaches the weight is, in expectation, that of draws ``a~ ~ N(a, strength Sigma_y)``. To find the
    classes in the batch, a device is waited for.

    Args:
        labels: (N,) or (N, ...).
        weight: (C, A) of the classifier.
        covariance: (C, A) or (C, A, A), or leading dimension 1; any positive semi-definite one, singular included.
        strength: lambda.
        ignore_index: samples with this label are not moved; None: every sample is.

    Raises:
        ValueError: shapes that do not fit, a bad strength, a label outside the classes (on a CPU).
    """

    def __init__(self, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                 ignore_index: int | None = None) -> None:
        check_pair(weight, covariance)
        labels = check_labels(labels, len(weight), ignore_index)
        self.shape, self.deviation = labels.shape, check_strength(strength) ** 0.5
        flat = labels.flatten()
        counts = labelled(flat, ignore_index)
        alike = flat if len(covariance) > 1 else torch.zeros_like(flat)
        classes = torch.unique(alike[counts])
        members = [(counts & (alike == y)).nonzero().flatten() for y in classes]
        dtype = at_least_float32(weight, covariance)
        with full_precision(weight.device.type):
            self.roots = logit_roots(weight.to(dtype), covariance[classes].to(dtype))  # (K, C, R)
        self.sizes = [len(member) for member in members]
        order = torch.cat([*members, (~counts).nonzero().flatten()])
        self.back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """(count, N, C, ...), independent of each other; the generator is of the weight's device."""
        _, classes, rank = self.roots.shape
        with full_precision(self.roots.device.type):
            parts = [torch.randn(count, n, rank, dtype=root.dtype, device=root.device, generator=generator) @ root.t()
                     for n, root in zip(self.sizes, self.roots, strict=True)]
        still = self.roots.new_zeros(count, len(self.back) - sum(self.sizes), classes)
        noise: Tensor = self.deviation * torch.cat([*parts, still], dim=1)[:, self.back]
        return noise.view(count, *self.shape, classes).movedim(-1, 2)


def logit_roots(weight: Tensor, covariance: Tensor) -> Tensor:
    """``F_y`` with ``F_y F_y^T = W Sigma_y W^T``, whose derivative is that of the product too.

    Of the many derivatives it is the one of draws of features: ``dW`` times what is expected of the feature's move
    where the logits' is known, ``Sigma_y W^T F^+T``. Others, that of a symmetric root or of eigenvectors, turn the
    noise as well, without bound where an eigenvalue is small.

    Args:
        weight: (C, A).
        covariance: (K, A) or (K, A, A). The noise of the gradient of a learned one, ``D D^T``, is bounded where all of
            it comes from the left side.

    Returns:
        (K, C, R), R = C, or A where that is smaller and the covariance needs no gradient.
    """
    classes, channels = weight.shape
    diagonal = covariance.dim() == 2
    if channels <= classes and not covariance.requires_grad:
        root = square_root(covariance)
        return weight * root[:, None, :] if diagonal else weight @ root
    if covariance.requires_grad:
        covariance = (covariance + covariance.detach()) / 2  # its derivative counts on both sides
    left = weight * covariance[:, None, :] if diagonal else weight @ covariance
    product = left @ weight.detach().t()  # (K, C, C)
    with torch.no_grad():
        values, vectors = symmetric_eigen(product.to(widest(weight)))
        values = values.clamp(min=0)
        known = values > values.amax(dim=1, keepdim=True) * classes * torch.finfo(weight.dtype).eps
        root = (vectors * values.sqrt()[:, None, :]).to(weight.dtype)
        inverse = (vectors * torch.where(known, values, torch.inf).rsqrt()[:, None, :]).to(weight.dtype)
    change = product - product.detach()  # 0
    roots: Tensor = root + change @ inverse
    return roots


def check_samples(samples: int | None) -> int | None:
    """ValueError for a number of draws that is none; None is the closed form."""
    if samples is not None and (isinstance(samples, bool) or not isinstance(samples, int) or samples < 1):
        raise ValueError(f'samples must be a whole number of draws, at least 1, got {samples!r}: the closed form, '
                         'a bound of infinitely many, is samples=None')
    return samples


def augmented_logits(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float,
                     samples: int | None, *, ignore_index: int | None, grid: Grid | None) -> Iterable[Tensor]:
    """The logits whose mean loss is that of the augmentation: of ``samples`` draws, or the one of ``isda_logits``."""
    if samples and strength:
        return sampled_logits(logits, labels, weight, covariance, strength, samples, ignore_index=ignore_index,
                              grid=grid)
    return [isda_logits(logits, labels, weight, covariance, strength, ignore_index=ignore_index, grid=grid,
                        checked=True)]


def sampled_logits(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float,
                   num_samples: int, *, ignore_index: int | None = None, grid: Grid | None = None) -> Iterator[Tensor]:
    """The logits of ``num_samples`` draws of the features, one draw at a time (Eq. 5); errors as ``LogitNoise``.

    Args:
        logits: (N, C) or (N, C, ...).
        labels: (N,) or (N, ...).
        weight: (C, A).
        covariance: as for ``LogitNoise``.
        strength: lambda.
        num_samples: M.
        ignore_index: samples with this label are not moved.
        grid: for logits (N, C, H, W), noise is drawn at its points and upsampled, instead of for each pixel.

    Yields:
        like logits, at least float32.
    """
    noise = LogitNoise(labels if grid is None else grid.labels, weight, covariance, strength, ignore_index=ignore_index)
    for _ in range(num_samples):
        drawn = noise.draw(1)[0]
        yield logits + (drawn if grid is None else grid.upsample(drawn, tuple(logits.shape[2:])))
