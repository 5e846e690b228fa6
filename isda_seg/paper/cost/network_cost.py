"""Cost of ISDA relative to the networks of Tables 1 and 3: multiply-adds and time of a training step."""
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from isda_seg.criterion import ISDACriterion
from isda_seg.paper.cost.classifier_step import time_losses
from isda_seg.paper.cost.flops import Extra, implementation_extra, multiply_adds, paper_extra
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.result_tables import markdown
from isda_seg.paper.tables import CIFAR, IMAGENET, PaperNetwork


class Setting(NamedTuple):
    """Networks and data shape of one dataset in the paper's tables."""
    networks: dict[str, PaperNetwork]
    classes: int
    size: int
    covariance: str


SETTINGS = {'cifar10': Setting(CIFAR, 10, 32, 'full'), 'cifar100': Setting(CIFAR, 100, 32, 'full'),
            'imagenet': Setting(IMAGENET, 1000, 224, 'diagonal')}
HEAD = ['network', 'dataset', 'A', 'network M', 'paper M', 'paper %', 'implementation M', 'implementation %',
        'statistics M', 'table M', 'addition M', 'extra time % (quartiles)']


def measured(datasets: Iterable[str], names: Sequence[str], batch: int | None, meter: Meter,
             rounds: int) -> Iterator[dict[str, Any]]:
    """Yield the row of each network: ``count`` and, if there are rounds, ``step_time``.

    Args:
        datasets: keys of ``SETTINGS``.
        names: names of the networks; empty for all.
        batch: samples per step; None for the paper's batch size per GPU.
        meter: its device runs the steps.
        rounds: number of timed rounds, 0 for none.
    """
    from isda_seg.classification.classifier import ImageClassifier  # needs MMEngine
    for dataset in datasets:
        setting = SETTINGS[dataset]
        for name, network in setting.networks.items():
            if names and name not in names:
                continue
            size = batch or network.batch
            with torch.device('meta'):
                row = count(ImageClassifier(network.config, setting.classes), setting, size)
            if rounds:
                torch.manual_seed(0)
                model = ImageClassifier(network.config, setting.classes).to(meter.device)
                row |= step_time(model, setting, size, meter, rounds)
            yield dict(network=name, dataset=dataset, **row)


def count(model: Any, setting: Setting, batch: int) -> dict[str, Any]:
    """Count multiply-adds per sample of the forward pass, of the network and of ISDA.

    ISDA is counted by the paper's formula (``paper``) and for this implementation (``here``). The model has a linear
    classifier ``fc`` and may be on the meta device.
    """
    channels = model.fc.in_features
    here = implementation_extra(setting.classes, channels, batch, setting.covariance)
    return dict(channels=channels, batch=batch, covariance=setting.covariance,
                network_multiply_adds=multiply_adds(model, (3, setting.size, setting.size)),
                paper=paper_extra(setting.classes, channels, batch, setting.covariance),
                here=here.total, **here._asdict())


def step_time(model: Any, setting: Setting, batch: int, meter: Meter, rounds: int) -> dict[str, Any]:
    """Time training steps of the network with cross-entropy and with ISDA in alternation."""
    found = time_losses(model, dict(isda=ISDACriterion(setting.covariance)), batch, setting.size, meter, rounds)
    return dict(found, extra_time=found['extra_time']['isda'])


def summary(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table with one row per network and dataset."""
    return markdown([HEAD, *map(_line, rows)])


def _line(row: dict[str, Any]) -> list[str]:
    def percent(part: str) -> str:
        return f'{100 * row[part] / row["network_multiply_adds"]:.2f}'

    def millions(part: str, digits: int = 3) -> str:
        return f'{row[part] / 1e6:.{digits}f}'

    extra_time = 'not yet run'
    if 'extra_time' in row:
        extra_time = '{median:.1f} [{low:.1f}, {high:.1f}]'.format(**{k: 100 * v for k, v in row['extra_time'].items()})
    return [row['network'], row['dataset'], str(row['channels']), millions('network_multiply_adds', 2),
            millions('paper', 2), percent('paper'), millions('here'), percent('here'),
            *map(millions, Extra._fields), extra_time]
