"""What ISDA costs beside a network of the paper's Tables 1 and 3: multiply-adds, and the time of a training step."""
from typing import Any, NamedTuple

from torch import nn

from isda_seg.criterion import ISDACriterion
from isda_seg.paper.cost.classifier_step import time_losses
from isda_seg.paper.cost.flops import Extra, implementation_extra, multiply_adds, paper_extra
from isda_seg.paper.cost.formatting import markdown
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.networks import CIFAR, IMAGENET, PaperNetwork


class Setting(NamedTuple):
    """A data set as the paper's tables have it."""
    networks: dict[str, PaperNetwork]
    classes: int
    size: int
    covariance: str


SETTINGS = {'cifar10': Setting(CIFAR, 10, 32, 'full'), 'cifar100': Setting(CIFAR, 100, 32, 'full'),
            'imagenet': Setting(IMAGENET, 1000, 224, 'diagonal')}
HEAD = ['network', 'dataset', 'A', 'network M', 'paper M', 'paper %', 'here M', 'here %', 'statistics M', 'table M',
        'addition M', 'extra time % (quartiles)']


def count(model: nn.Module, setting: Setting, batch: int) -> dict[str, Any]:
    """Multiply-adds per sample of the forward pass: the network's, ISDA's by the paper's formula and as it is here.

    Args:
        model: ends in a linear layer ``fc``; may be on the meta device.
        setting: the data set.
        batch: samples in a step.
    """
    channels = model.fc.in_features
    here = implementation_extra(setting.classes, channels, batch, setting.covariance)
    return dict(channels=channels, batch=batch, covariance=setting.covariance,
                network_multiply_adds=multiply_adds(model, (3, setting.size, setting.size)),
                paper=paper_extra(setting.classes, channels, batch, setting.covariance),
                here=here.total, **here._asdict())


def step_time(model: nn.Module, setting: Setting, batch: int, meter: Meter, rounds: int) -> dict[str, Any]:
    """Samples of a plain and of an ISDA training step of the same network in turn, and the extra time within a round.

    Args:
        model: ends in a linear layer ``fc``, on the meter's device.
        setting: the data set.
        batch: samples in a step.
        meter: of the device.
        rounds: that count.
    """
    found = time_losses(model, dict(isda=ISDACriterion(setting.covariance)), batch, setting.size, meter, rounds)
    return dict(found, extra_time=found['extra_time']['isda'])


def summary(rows: list[dict[str, Any]]) -> str:
    """One line per network and data set."""
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
