"""Command-line arguments that the tools share, each with one definition and one help text.

Logs, checkpoints and intermediate runs go into ``--work-dir``; results go to ``--out``.
"""
import argparse
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from isda_seg.runtime.outputs import check_file


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the positional argument ``config``."""
    parser.add_argument('config', help='config file, from configs/ or your own')


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the positional argument ``checkpoint``."""
    parser.add_argument('checkpoint', help='checkpoint file (.pth), as tools/train.py writes it')


def add_seed(parser: argparse.ArgumentParser, of: str = 'the random numbers', default: int = 0) -> None:
    """Add ``--seed``."""
    parser.add_argument('--seed', type=int, default=default, help=f'seed of {of}; default %(default)s')


def add_work_dir(parser: argparse.ArgumentParser, shown: str, default: str | None = None) -> None:
    """Add ``--work-dir``; ``shown`` is its default in the help text, ``default`` the value without the option."""
    parser.add_argument('--work-dir', default=default, help=f'folder for logs and checkpoints; default {shown}')


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--out``, which ``result_file`` reads; ``default`` is the default path in the help text."""
    parser.add_argument('--out', metavar='PATH', help='result file, or a folder for it; further files are written next '
                        f'to it; default {default}')


def result_file(out: str | None, default: str | Path, inputs: Iterable[Any] = (),
                figures: Sequence[str] = ()) -> Path:
    """Return the path of the result file, in a folder that exists and can be written.

    If ``out``, the value of ``--out``, is a folder or has no suffix, the file name of ``default`` is appended.
    ``inputs`` must not be replaced, as in ``check_file``. ``figures`` are endings of figures next to the result, such
    as '.png'.
    """
    path = Path(out or default)
    if path.is_dir() or not path.suffix:
        path /= Path(default).name
    inputs, format_ = list(inputs), Path(default).suffix
    check_file('--out', path, inputs, path.suffix if format_ == '.png' else format_)
    for figure in (path.with_name(f'{path.stem}{ending}') for ending in figures):
        if figure == path:
            raise ValueError(f'--out {path} is the file of the figure. Give the result another suffix, such as '
                             f'{path.with_suffix(format_)}')
        check_file('--out', figure, inputs, figure.suffix)
    check_writable(str(path.parent), '--out')
    return path


def check_writable(folder: str, option: str = '--work-dir') -> None:
    """Create ``folder`` if necessary; raise an OSError that names ``option`` unless files can be written there."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(f'cannot write to the folder {folder} ({error.strerror}). Choose another one with '
                          f'{option}') from error
