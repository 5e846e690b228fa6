"""Literal reference implementation of ISDA that materialises N x C x A intermediate tensors.

Written from arXiv:2007.10538v5. With full covariances it gathers one A x A matrix per sample (N x A x A) and needs
N C A A multiplications. It does not build the N x C x A x A tensor, so it is cheaper than a fully literal form.
"""
import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.attachment.label_grid import labels_on_grid
from isda_seg.core.ops.upsampled import resize


class LiteralISDA:
    """Statistics and loss of one classifier.

    Args:
        classes, channels: C and A.
        full: (C, A, A) covariances, otherwise (C, A).
        strength: lambda.
        ignore_index: samples with this label are ignored.
    """

    def __init__(self, classes: int, channels: int, full: bool, strength: float, ignore_index: int,
                 dtype: torch.dtype = torch.float32, device: torch.device | str = 'cpu') -> None:
        self.classes, self.full, self.strength, self.ignore_index = classes, full, strength, ignore_index
        self.count = torch.zeros(classes, 1, dtype=dtype, device=device)
        self.mean = torch.zeros(classes, channels, dtype=dtype, device=device)
        shape = (classes, channels, channels) if full else (classes, channels)
        self.covariance = torch.zeros(shape, dtype=dtype, device=device)

    def rows(self, features: Tensor, labels: Tensor, align_corners: bool) -> tuple[Tensor, Tensor]:
        """Flatten feature maps to features (n, A) and labels (n,); vectors are returned unchanged."""
        if features.dim() == 2:
            return features, labels
        on_grid = labels_on_grid(labels, tuple(features.shape[2:]), align_corners)
        return features.permute(0, 2, 3, 1).flatten(0, 2), on_grid.flatten()

    @torch.no_grad()
    def observe(self, features: Tensor, labels: Tensor) -> None:
        """Update the statistics by Eqs. 1-3 from features (N, A), one-hot expanded over the classes."""
        kept = labels != self.ignore_index
        features, labels = features[kept], labels[kept]
        member = F.one_hot(labels, self.classes).to(features.dtype)[:, :, None].expand(-1, -1, features.shape[1])
        by_class = features[:, None, :] * member                                 # N x C x A
        count = member.sum(0)[:, :1]
        divisor = count.clamp(min=1)
        mean = by_class.sum(0) / divisor
        centred = by_class - mean * member                                       # N x C x A
        if self.full:
            covariance = torch.bmm(centred.permute(1, 2, 0), centred.permute(1, 0, 2)) / divisor[:, :, None]
        else:
            covariance = centred.square().sum(0) / divisor
        share = count / (self.count + count).clamp(min=1)
        shift = mean - self.mean
        spread = shift[:, :, None] * shift[:, None, :] if self.full else shift.square()
        weight = share[:, :, None] if self.full else share
        self.covariance = (1 - weight) * self.covariance + weight * covariance + weight * (1 - weight) * spread  # Eq. 2
        self.mean = (1 - share) * self.mean + share * mean                       # Eq. 1
        self.count = self.count + count                                          # Eq. 3

    def penalty(self, weight: Tensor, labels: Tensor) -> Tensor:
        """Return ``lambda / 2 (w_c - w_y)^T Sigma_y (w_c - w_y)`` (Eq. 7) as (N, C); zero for ignored samples."""
        kept = labels != self.ignore_index
        labels_kept = labels[kept]
        difference = weight[None] - weight[labels_kept][:, None]                 # N x C x A
        sigma = self.covariance[labels_kept]
        if self.full:
            variance = ((difference @ sigma) * difference).sum(2)
        else:
            variance = (difference.square() * sigma[:, None]).sum(2)
        everywhere = variance.new_zeros(len(labels), self.classes)
        return everywhere.masked_scatter(kept[:, None], self.strength / 2 * variance)

    def loss(self, logits: Tensor, labels: Tensor, size: tuple[int, ...], on_grid: Tensor, weight: Tensor,
             align_corners: bool) -> Tensor:
        """Return the cross-entropy of the augmented logits; penalties are resized to the size of the logits.

        The authors' code adds at feature resolution and resizes the sum. Resizing is linear, so the result is equal.
        """
        penalty = self.penalty(weight.flatten(1), on_grid)
        if logits.dim() > 2:
            images = penalty.view(len(logits), *size, self.classes).permute(0, 3, 1, 2)
            penalty = resize(images, tuple(logits.shape[2:]), align_corners)
        return F.cross_entropy(logits + penalty, labels, ignore_index=self.ignore_index)
