"""What ISDA costs beside each network of Tables 1 and 3: python tools/benchmarks/flops.py [cifar10 cifar100 imagenet]

Multiply-adds of the forward pass, per sample: the network's, ISDA's by the paper's formula and ISDA's as it is here.
With --time also the measured extra time of a training step: plain and ISDA steps of the same network in turn.
"""
import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg import compat
from isda_seg.analysis.cost.flops import Extra, implementation_extra, multiply_adds, paper_extra
from isda_seg.analysis.paper.networks import CIFAR, IMAGENET, PaperNetwork
from isda_seg.attach import attach
from isda_seg.classification.classifier import ImageClassifier
from isda_seg.criterion import ISDACriterion
from isda_seg.runtime.provenance import provenance, write_json


class Setting(NamedTuple):
    """What one column block of a table is about."""
    networks: dict[str, PaperNetwork]
    classes: int
    size: int
    covariance: str


SETTINGS = {'cifar10': Setting(CIFAR, 10, 32, 'full'), 'cifar100': Setting(CIFAR, 100, 32, 'full'),
            'imagenet': Setting(IMAGENET, 1000, 224, 'diagonal')}
COLUMNS = ('network', 'dataset', 'A', 'network M', 'paper M', 'paper %', 'here M', 'here %', 'statistics M', 'table M',
           'addition M', 'extra time %')


def cost(name: str, dataset: str, batch: int | None) -> dict[str, Any]:
    """Multiply-adds of one network and of ISDA beside it."""
    networks, classes, size, covariance = SETTINGS[dataset]
    batch = batch or networks[name].batch
    with torch.device('meta'):
        model = ImageClassifier(networks[name].config, classes)
    here = implementation_extra(classes, model.fc.in_features, batch, covariance)
    return dict(network=name, dataset=dataset, channels=model.fc.in_features, batch=batch, covariance=covariance,
                network_multiply_adds=multiply_adds(model, (3, size, size)),
                paper=paper_extra(classes, model.fc.in_features, batch, covariance), here=here.total, **here._asdict())


def measured(row: dict[str, Any], device: str, warmup: int, steps: int) -> dict[str, Any]:
    """Median seconds of a plain and of an ISDA step, and the median of their relative difference, over pairs."""
    networks, classes, size, covariance = SETTINGS[row['dataset']]
    torch.manual_seed(0)
    model = ImageClassifier(networks[row['network']].config, classes).to(device)
    images = torch.randn(row['batch'], 3, size, size, device=device)
    labels = torch.randint(classes, (row['batch'],), device=device)
    isda = ISDACriterion(covariance)
    attach(isda, model.fc)
    isda.strength = 0.5
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4)

    def seconds(loss: Callable[[Tensor, Tensor], Tensor]) -> float:
        wait(device)
        start = time.perf_counter()
        optimizer.zero_grad()
        loss(model(images), labels).backward()
        optimizer.step()
        wait(device)
        return time.perf_counter() - start

    pairs = [(seconds(F.cross_entropy), seconds(isda)) for _ in range(warmup + steps)][warmup:]
    plain, with_isda = (statistics.median(times) for times in zip(*pairs, strict=True))
    return dict(plain_seconds=plain, isda_seconds=with_isda, steps=steps,
                extra_time=statistics.median(b / a - 1 for a, b in pairs))


def wait(device: str) -> None:
    """Until the device has done what it was told."""
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)


def line(row: dict[str, Any]) -> str:
    """A row of the markdown table."""
    def share(part: str) -> str:
        return f'{100 * row[part] / row["network_multiply_adds"]:.2f}'

    def millions(part: str, digits: int = 3) -> str:
        return f'{row[part] / 1e6:.{digits}f}'

    extra_time = f'{100 * row["extra_time"]:.1f}' if 'extra_time' in row else 'not yet run'
    cells = [row['network'], row['dataset'], str(row['channels']), millions('network_multiply_adds', 2),
             millions('paper', 2), share('paper'), millions('here'), share('here'), *map(millions, Extra._fields),
             extra_time]
    return '| ' + ' | '.join(cells) + ' |'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('datasets', nargs='*', help=f'of {", ".join(SETTINGS)}; default all')
    parser.add_argument('--networks', nargs='+', help='only these, by their printed names; default all')
    parser.add_argument('--batch', type=int, help="samples in a step; default the paper's, per GPU")
    parser.add_argument('--time', action='store_true', help='measure training steps too')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--warmup', type=int, default=10, help='pairs of steps before the measured ones')
    parser.add_argument('--steps', type=int, default=50, help='measured pairs of steps')
    parser.add_argument('--out', help='write the numbers to this JSON file')
    args = parser.parse_args()
    unknown = [name for name in args.datasets if name not in SETTINGS]
    unknown += [name for name in args.networks or () if name not in {**CIFAR, **IMAGENET}]
    if unknown:
        parser.error(f'unknown: {unknown}; datasets {list(SETTINGS)}, networks {[*CIFAR, *IMAGENET]}')
    return args


def main() -> None:
    args = parse_args()
    compat.prepare()
    rows = []
    print('\n'.join(['| ' + ' | '.join(COLUMNS) + ' |', '|---' * len(COLUMNS) + '|']))
    for dataset in args.datasets or SETTINGS:
        for name in SETTINGS[dataset].networks:
            if args.networks is None or name in args.networks:
                row = cost(name, dataset, args.batch)
                rows.append(row | (measured(row, args.device, args.warmup, args.steps) if args.time else {}))
                print(line(rows[-1]), flush=True)
    if args.out:
        write_json(args.out, dict(**provenance(seed=0), device=args.device, rows=rows))


if __name__ == '__main__':
    sys.exit(main())
