"""Arm of a series: a config, its options and the logit adjustment at test time."""
import argparse
import hashlib
import shlex
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from mmengine.config import DictAction

from isda_seg.core.schedule import check_strength

LONGEST = 150  # maximum length of a folder name; file systems allow 255
TAU = 'test.logit_adjustment'  # test-time option, not part of the config


class Arm(NamedTuple):
    """One side of a comparison."""
    config: str
    options: tuple[str, ...] = ()  # KEY=VALUE, as written

    @property
    def label(self) -> str:
        """Name in results, tables and figures: the stem of the config and the options."""
        return ' '.join([Path(self.config).stem, *self.options])

    @property
    def folder(self) -> str:
        """Folder name, unique for each training: the stem of the config and the training options."""
        name = quote_plus(' '.join([Path(self.config).stem, *self.training_options]), safe='=,')
        if len(name) <= LONGEST:
            return name
        return f'{name[:LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}'

    @property
    def settings(self) -> dict[str, Any]:
        """Training options by key, parsed as by --cfg-options."""
        found = argparse.Namespace()
        DictAction([], 'settings', nargs='*')(argparse.ArgumentParser(), found, self.training_options)
        return found.settings

    @property
    def tau(self) -> float:
        """Tau of the logit adjustment at test time; 0 disables it.

        Raises:
            ValueError: tau is not a number >= 0.
        """
        found = next((option for option in self.options if option.startswith(f'{TAU}=')), '=0').partition('=')[2]
        try:
            return check_strength(float(found), TAU)
        except ValueError:
            raise ValueError(f'{TAU} must be a finite number >= 0, got {found!r}') from None

    @property
    def training_options(self) -> tuple[str, ...]:
        """Options of the config, without test-time options."""
        return tuple(option for option in self.options if not option.startswith(f'{TAU}='))


def parse_arm(text: str) -> Arm:
    """Parse an arm from CONFIG or 'CONFIG KEY=VALUE ...'; the path of an existing file is a config.

    Raises:
        ValueError: invalid syntax.
    """
    try:
        config, *options = [text] if Path(text).is_file() else shlex.split(text) or ['']
    except ValueError as error:
        raise ValueError(f'cannot read {text!r}: {error}') from error
    if not config.endswith('.py') and '=' in config:
        raise ValueError(f'{config} is an option without a config. Write both in quotes, as in \'CONFIG {config}\'')
    if not config:
        raise ValueError("the arm is empty. Pass a config, or a config with options in quotes: 'CONFIG KEY=VALUE'")
    keys = []
    for option in options:
        key, equals, _ = option.partition('=')
        if not key or not equals:
            raise ValueError(f"options of {config} must have the form KEY=VALUE, got {option!r}")
        keys.append(key)
    if len(set(keys)) < len(keys):
        raise ValueError(f'{text!r} sets {max(keys, key=keys.count)} twice')
    return Arm(config, tuple(options))


def parse_arms(texts: list[str]) -> list[Arm]:
    """Parse the arms of a series.

    Raises:
        ValueError: see ``parse_arm``; two arms have the same label.
    """
    arms = [parse_arm(text) for text in texts]
    labels = [arm.label for arm in arms]
    if len(set(labels)) < len(labels):
        raise ValueError(f'Two arms have the label {max(labels, key=labels.count)!r}. Give each arm once, and use '
                         'different names for configs in different folders')
    return arms
