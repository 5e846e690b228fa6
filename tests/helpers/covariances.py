"""Random covariances of the four kinds, for the laws of core."""

import torch


def covariance_of(kind, num_classes, channels, generator):
    """(C, A) diagonal, (C, A, A) full, (1, A, A) shared or (1, A) identity; float64, positive semi-definite."""
    if kind == 'identity':
        return torch.ones(1, channels, dtype=torch.float64)
    if kind == 'diagonal':
        return torch.rand(num_classes, channels, dtype=torch.float64, generator=generator) + 0.1
    root = torch.randn(1 if kind == 'shared' else num_classes, channels, channels, dtype=torch.float64,
                       generator=generator)
    return root @ root.transpose(1, 2) / channels
