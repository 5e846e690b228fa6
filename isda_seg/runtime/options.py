"""Argument ``--cfg-options``: MMEngine's parser with errors for values that it would misread."""
import argparse
import re
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

DICT = r'(?:^|[\[(,])\s*[\'"]?\{(?!\}[^\s,\])])'  # text with a placeholder, such as '{}.pth', is not a dict


class OptionsAction(DictAction):
    """MMEngine's DictAction that rejects dicts, which DictAction keeps as a string or never finishes parsing."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Sequence[str] | Any, option_string: str | None = None) -> None:
        """Store the dict of options in the namespace.

        Calls ``parser.error`` for an argument that is not KEY=VALUE and for a value that is a dict.
        """
        for text in values:
            key, equals, value = text.partition('=')
            if not equals:
                parser.error(f'{option_string} takes KEY=VALUE, got {text!r}')
            if 'dict(' in value or re.search(DICT, value):
                parser.error(f'{option_string} {key}: dicts are not supported as values. Set its keys one by one: '
                             f'{key}.a=1 {key}.b=2')
        super().__call__(parser, namespace, values, option_string)


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE',
                        help='override config keys, dotted if nested, such as optim_wrapper.optimizer.lr=0.01')
