"""What a person reads while a run goes on: what is trained, how far it is, what was measured."""
import logging
import re
import sys
import time
from typing import Any, TextIO

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

PROGRESS = re.compile(r'(?P<where>(?:Epoch|Iter)\(train\)\s+\[.*?\](?:\[.*?\])?)\s+(?P<numbers>.*)', re.DOTALL)
SHOWN = ('eta', 'loss', 'accuracy', 'decode.acc_seg', 'isda_strength')  # of a step's numbers
OURS = re.compile(r'ISDA|training \w+ on |resum|mean .* of the last|'
                  r'(?:Epoch|Iter)\((?:val|test)\)\s+(?:\[\d+\])?\[\s*(\d+)/\1\]')  # a whole validation
OF_A_TAU = re.compile(r'\s+tau=[^:]*: \S+')  # of tools/test.py --logit-adjustment, which prints a table of them
NOISE = re.compile(r'deprecated|The prefix is not set in metric class')  # of the hosts' warnings
PAUSE = 10.0  # seconds between two lines of progress where a line cannot be written over


class Screen(logging.Handler):
    """Progress as one line with the time left, results, warnings, and what ISDA says of itself.

    Args:
        stream: where a terminal is, a line of progress is written over; elsewhere there is one every ``PAUSE`` seconds.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.stream = stream or sys.stdout
        self.in_place = self.stream.isatty()
        self.width, self.said = 0, -PAUSE

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a person reads; a terminal that went away ends no run, as with ``logging``'s own handlers."""
        try:
            self._show(record.getMessage().strip(), record.levelno)
        except (OSError, ValueError):  # of a pipe, a terminal, a file that was closed
            self.handleError(record)

    def _show(self, text: str, level: int) -> None:
        progress = PROGRESS.fullmatch(text)
        if progress is not None:
            self._progress(f'{" ".join(progress["where"].split())}  {numbers(progress["numbers"])}')
        elif OURS.match(text) or (level >= logging.WARNING and not NOISE.search(text)):
            self._write('\r'.ljust(self.width + 1) + '\r' if self.width else '', OF_A_TAU.sub('', text) + '\n')
            self.width = 0

    def _progress(self, line: str) -> None:
        if self.in_place:
            self._write('\r', line.ljust(self.width))
            self.width = len(line)
        elif time.monotonic() - self.said >= PAUSE:
            self._write(line, '\n')
            self.said = time.monotonic()

    def _write(self, *texts: str) -> None:
        self.stream.write(''.join(texts))
        self.stream.flush()


def numbers(text: str) -> str:
    """Of a step's numbers those that are ``SHOWN``, in that order."""
    found = dict(re.findall(r'([\w.]+): (\S+)', text))
    return '  '.join(f'{name}: {found[name]}' for name in SHOWN if name in found)


@RUNNERS.register_module()
class ScreenRunner(Runner):
    """MMEngine's Runner, with ``Screen`` in the place of its own output; the log file keeps all of it."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """The first thing a Runner builds."""
        logger = super().build_logger(*args, **kwargs)
        for handler in [one for one in logger.handlers if type(one) is logging.StreamHandler]:
            logger.removeHandler(handler)
        if is_main_process():
            logger.addHandler(Screen())
        python = logging.getLogger('py.warnings')
        python.handlers, python.propagate = [_PythonWarnings(logger)], False
        logging.captureWarnings(True)
        return logger

    def train(self) -> nn.Module:
        """Say first what is trained, and where all else is told."""
        self.register_hook(_Header())
        return super().train()


def runner_from(cfg: Config, quiet: bool = False) -> Runner:
    """The Runner of a config; the one above with ``quiet`` or ``runner_type='ScreenRunner'``, which is not saved."""
    if cfg.get('runner_type') == ScreenRunner.__name__:
        quiet = bool(cfg.pop('runner_type'))
    return (ScreenRunner if quiet else Runner).from_cfg(cfg)


class _Header(Hook):
    priority = 'VERY_LOW'

    def before_train(self, runner: Any) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        length = f'{runner.max_epochs} epochs' if by_epoch else f'{runner.max_iters} iterations'
        runner.logger.info(f'training {type(model).__name__} on {len(runner.train_dataloader.dataset)} images for '
                           f'{length}; the whole log is {runner.log_dir}/{runner.timestamp}.log')


class _PythonWarnings(logging.Handler):
    """Python's warnings in the log file; those of isda_seg on the screen too."""

    def __init__(self, logger: MMLogger) -> None:
        super().__init__()
        self.logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip()
        self.logger.log(logging.WARNING if '/isda_seg/' in text else logging.INFO, text)
