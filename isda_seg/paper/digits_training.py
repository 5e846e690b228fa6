"""Training a small network on scikit-learn's digits, with and without ISDA."""
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from isda_seg.attach import attach
from isda_seg.core import linear_ramp
from isda_seg.criterion import ISDACriterion
from isda_seg.metrics.likelihood import chunked_likelihood, likelihood_metrics

PER_CLASS, BATCH, EPOCHS = 10, 10, 30
MEASURES = {'error': 'test error, %', 'nll': 'negative log-likelihood', 'ece': 'expected calibration error, %',
            'train': 'training accuracy, %'}


def sample_digits(seed: int, held_out: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sample ten training images per digit and about 800 test images from one half of the data."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    pool = order[897:] if held_out else order[:897]
    pool = pool[torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))]
    train = torch.cat([pool[labels[pool] == digit][:PER_CLASS] for digit in range(10)])
    test = pool[~torch.isin(pool, train)]
    return images[train], labels[train], images[test], labels[test]


def network(width: int = 256) -> nn.Sequential:
    """Return a network with three hidden layers and a linear classifier."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs in (64, width, width):
        layers += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def run(seed: int, lambda_0: float, held_out: bool = False) -> dict[str, float]:
    """Train with one seed and one final strength (0: cross-entropy), and return the measures."""
    torch.set_num_threads(1)
    images, labels, test_images, test_labels = sample_digits(seed, held_out)
    torch.manual_seed(seed)
    model, criterion = network(), ISDACriterion(covariance='full')
    attach(criterion, model[-1])
    steps = EPOCHS * len(images) // BATCH
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches = torch.split(torch.cat([torch.randperm(len(images)) for _ in range(EPOCHS)]), BATCH)
    for step, batch in enumerate(batches, 1):
        criterion.strength = linear_ramp(step, steps, lambda_0)
        loss = criterion(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        logits, fitted = model(test_images), model(images).argmax(dim=1) == labels
    measured = likelihood_metrics([chunked_likelihood([(logits, test_labels)])])
    return dict(measured, train=100 * float(fitted.float().mean()),
                error=100 * float((logits.argmax(dim=1) != test_labels).float().mean()))


def run_all(strengths: Sequence[float], seeds: Sequence[int], held_out: bool) -> dict[float, list[dict[str, float]]]:
    """Run all strengths and seeds in parallel; return {strength: [measures of each seed]}."""
    with ProcessPoolExecutor() as pool:
        futures: dict[float, list[Future[dict[str, float]]]] = {strength: [] for strength in strengths}
        for seed in seeds:
            for strength in strengths:
                futures[strength].append(pool.submit(run, seed, strength, held_out))
        return {strength: [future.result() for future in runs] for strength, runs in futures.items()}
