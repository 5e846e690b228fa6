"""An arm of a series: a config, the options that make it another one, and how its checkpoint is tested."""
import argparse
import hashlib
import shlex
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from mmengine.config import DictAction

from isda_seg.core.schedule import check_strength

LONGEST = 150  # characters of a folder's name; file systems end at 255
TAU = 'test.logit_adjustment'  # an option that is not of the config


class Arm(NamedTuple):
    """One side of a comparison."""
    config: str
    options: tuple[str, ...] = ()  # KEY=VALUE, as written

    @property
    def label(self) -> str:
        """What results, tables and figures call it: the config's stem, and the options."""
        return ' '.join([Path(self.config).stem, *self.options])

    @property
    def folder(self) -> str:
        """The config's stem and the options of training as the name of a folder; two trainings never share one."""
        name = quote_plus(' '.join([Path(self.config).stem, *self.of_training]), safe='=,')
        if len(name) <= LONGEST:
            return name
        return f'{name[:LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}'

    @property
    def settings(self) -> dict[str, Any]:
        """The options of the config by key, their values read as --cfg-options reads them."""
        found = argparse.Namespace()
        DictAction([], 'settings', nargs='*')(argparse.ArgumentParser(), found, self.of_training)
        return found.settings

    @property
    def tau(self) -> float:
        """The logit adjustment at test time, 0 without.

        Raises:
            ValueError: it is not a number >= 0.
        """
        found = next((option for option in self.options if option.startswith(f'{TAU}=')), '=0').partition('=')[2]
        try:
            return check_strength(float(found), TAU)
        except ValueError:
            raise ValueError(f'{TAU} must be a finite number >= 0, got {found!r}') from None

    @property
    def of_training(self) -> tuple[str, ...]:
        """The options of the config alone."""
        return tuple(option for option in self.options if not option.startswith(f'{TAU}='))


def parse_arm(text: str) -> Arm:
    """An arm from one argument: CONFIG, or 'CONFIG KEY=VALUE ...'; a text that names a file is a config.

    Raises:
        ValueError: something else; the message says how an arm is written.
    """
    try:
        config, *options = [text] if Path(text).is_file() else shlex.split(text) or ['']
    except ValueError as error:
        raise ValueError(f'cannot read {text!r}: {error}') from error
    if not config.endswith('.py') and '=' in config:
        raise ValueError(f'{config} is an option without a config: write both in quotes, as in \'CONFIG {config}\'')
    if not config:
        raise ValueError("an arm is a config, or in quotes a config and options: 'CONFIG KEY=VALUE'")
    keys = []
    for option in options:
        key, equals, _ = option.partition('=')
        if not key or not equals:
            raise ValueError(f"the options of {config} are KEY=VALUE, got {option!r}")
        keys.append(key)
    if len(set(keys)) < len(keys):
        raise ValueError(f'{text!r} sets {max(keys, key=keys.count)} twice')
    return Arm(config, tuple(options))


def parse_arms(texts: list[str]) -> list[Arm]:
    """The arms of one series.

    Raises:
        ValueError: as ``parse_arm``; two arms that results could not tell apart.
    """
    arms = [parse_arm(text) for text in texts]
    labels = [arm.label for arm in arms]
    if len(set(labels)) < len(labels):
        raise ValueError(f'two arms are called {max(labels, key=labels.count)!r}: every arm can be given once, and '
                         'configs in different folders need names of their own')
    return arms
