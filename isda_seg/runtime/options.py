"""--cfg-options, read as MMEngine reads them; what it would misread is refused."""
import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


class OptionsAction(DictAction):
    """MMEngine's DictAction, which keeps a dict as a text that trains, or never ends; here it is an error."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Sequence[str] | Any, option_string: str | None = None) -> None:
        """Put the dict of options into the namespace.

        ``parser.error`` for what is no KEY=VALUE, and for a value that is a dict.
        """
        for text in values:
            key, equals, value = text.partition('=')
            if not equals:
                parser.error(f'{option_string} takes KEY=VALUE, got {text!r}')
            if '{' in value or 'dict(' in value:
                parser.error(f'{option_string} {key}: a dict is not read as one; set its keys one by one, as in '
                             f'{key}.a=1 {key}.b=2')
        super().__call__(parser, namespace, values, option_string)


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE',
                        help='change keys of the config, with dots for nested ones: optim_wrapper.optimizer.lr=0.01')
