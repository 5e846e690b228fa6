"""Random inputs of the paper's equations in float64: covariances of the four kinds, classifiers, labelled features."""

import torch

KINDS = ('diagonal', 'full', 'shared', 'identity')


def covariance_of(kind, num_classes, channels, generator):
    """(C, A) diagonal, (C, A, A) full, (1, A, A) shared or (1, A) identity; float64, positive semi-definite."""
    if kind == 'identity':
        return torch.ones(1, channels, dtype=torch.float64)
    if kind == 'diagonal':
        return torch.rand(num_classes, channels, dtype=torch.float64, generator=generator) + 0.1
    root = torch.randn(1 if kind == 'shared' else num_classes, channels, channels, dtype=torch.float64,
                       generator=generator)
    return root @ root.transpose(1, 2) / channels


def margin_problem(kind='diagonal', num_classes=5, channels=4, seed=0, dtype=torch.float64):
    """A weight (C, A) and a covariance of the given kind."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(num_classes, channels, dtype=dtype, generator=generator)
    return weight, covariance_of(kind, num_classes, channels, generator).to(dtype)


def loss_problem(kind='diagonal', num_classes=5, channels=4, samples=14, seed=0):
    """features (N, A), labels (N,), weight (C, A), bias (C,), covariance of the given kind."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(samples, channels, dtype=torch.float64, generator=generator)
    labels = torch.randint(num_classes, (samples,), generator=generator)
    weight = torch.randn(num_classes, channels, dtype=torch.float64, generator=generator)
    bias = torch.randn(num_classes, dtype=torch.float64, generator=generator)
    return features, labels, weight, bias, covariance_of(kind, num_classes, channels, generator)
