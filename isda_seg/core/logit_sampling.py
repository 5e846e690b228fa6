"""Monte-Carlo samples of Eq. 5 in logit space: C random numbers per sample instead of A, same distribution."""
from collections.abc import Iterator

import torch
from torch import Tensor

from isda_seg.core.ops.checks import check_labels, check_pair
from isda_seg.core.ops.device import widest
from isda_seg.core.ops.labels import labelled
from isda_seg.core.ops.precision import at_least_float32, full_precision
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.sampling import square_root, symmetric_eigen
from isda_seg.core.schedule import check_strength


class LogitNoise:
    """Gaussian noise of the logits of class y under semantic augmentation, ``N(0, strength W Sigma_y W^T)`` (Eq. 5).

    The expected gradient with respect to the weight (C, A) equals that of sampled features. Labels are (N, ...); those
    equal to ``ignore_index`` have zero noise. Finding the classes in the batch synchronises with an accelerator.
    """

    def __init__(self, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                 ignore_index: int | None = None) -> None:
        check_pair(weight, covariance)
        labels = check_labels(labels, len(weight), ignore_index)
        self.shape, self.deviation = labels.shape, check_strength(strength) ** 0.5
        flat = labels.flatten()
        valid = labelled(flat, ignore_index)
        alike = flat if len(covariance) > 1 else torch.zeros_like(flat)
        classes = torch.unique(alike[valid])
        members = [(valid & (alike == y)).nonzero().flatten() for y in classes]
        dtype = at_least_float32(weight, covariance)
        with full_precision(weight.device.type):
            self.roots = logit_roots(weight.to(dtype), covariance[classes].to(dtype))  # (K, C, R)
        self.sizes = [len(member) for member in members]
        order = torch.cat([*members, (~valid).nonzero().flatten()])
        self.back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return ``count`` independent samples of the noise, (count, N, C, ...)."""
        _, classes, rank = self.roots.shape
        with full_precision(self.roots.device.type):
            parts = [torch.randn(count, n, rank, dtype=root.dtype, device=root.device, generator=generator) @ root.t()
                     for n, root in zip(self.sizes, self.roots, strict=True)]
        still = self.roots.new_zeros(count, len(self.back) - sum(self.sizes), classes)
        noise: Tensor = self.deviation * torch.cat([*parts, still], dim=1)[:, self.back]
        return noise.view(count, *self.shape, classes).movedim(-1, 2)


def logit_roots(weight: Tensor, covariance: Tensor) -> Tensor:
    """Return ``F_y`` with ``F_y F_y^T = W Sigma_y W^T``, (K, C, R), of covariances (K, A) or (K, A, A).

    The derivative in the weight is ``dW Sigma_y W^T F^+T``, the conditional expectation of the derivative of sampled
    features given the noise of the logits. The derivatives of a symmetric root or of eigenvectors would also rotate the
    noise, and are unbounded for small eigenvalues. A learned covariance receives its whole gradient through the left
    factor, which bounds the variance of the gradient.
    """
    classes, channels = weight.shape
    diagonal = covariance.dim() == 2
    if channels <= classes and not covariance.requires_grad:
        root = square_root(covariance)
        return weight * root[:, None, :] if diagonal else weight @ root
    if covariance.requires_grad:
        covariance = (covariance + covariance.detach()) / 2  # it enters the square twice: half the gradient each time
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


def check_sample_count(samples: int | None) -> int | None:
    """Return ``samples``; ValueError unless it is a positive integer, or None for the closed form."""
    if samples is not None and (isinstance(samples, bool) or not isinstance(samples, int) or samples < 1):
        raise ValueError(f'samples must be a positive integer or None, got {samples!r}. Use samples=None for the '
                         'closed form')
    return samples


def sampled_logits(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float,
                   num_samples: int, *, ignore_index: int | None = None, grid: Grid | None = None) -> Iterator[Tensor]:
    """Yield the logits of ``num_samples`` samples of the features, one sample at a time (Eq. 5); see ``LogitNoise``.

    With a ``grid``, the noise is sampled at its points and upsampled to logits (N, C, H, W).
    """
    noise = LogitNoise(labels if grid is None else grid.labels, weight, covariance, strength, ignore_index=ignore_index)
    for _ in range(num_samples):
        sample = noise.sample(1)[0]
        yield logits + (sample if grid is None else grid.upsample(sample, tuple(logits.shape[2:])))
