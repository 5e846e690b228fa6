"""Concise console logging: training setup, progress, results, warnings."""
import logging
import re
import sys
import time
from typing import Any, TextIO

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from isda_seg.runtime.weights import network_of

PROGRESS = re.compile(r'(?P<where>(?:Epoch|Iter)\(train\)\s+\[.*?\](?:\[.*?\])?)\s+(?P<numbers>.*)', re.DOTALL)
SHOWN = ('eta', 'loss', 'accuracy', 'decode.acc_seg', 'isda_strength')  # values of a training step that are shown
OURS = re.compile(r'ISDA|training \w+ on |resum|mean .* of the last|'
                  r'(?:Epoch|Iter)\((?:val|test)\)\s+(?:\[\d+\])?\[\s*(\d+)/\1\]')  # a complete validation
OF_A_TAU = re.compile(r'\s+tau=[^:]*: \S+')  # metrics of tools/test.py --logit-adjustment, which prints them as a table
NOISE = re.compile(r'deprecated|The prefix is not set in metric class')  # warnings of the frameworks that are hidden
PAUSE = 10.0  # seconds between two progress lines if the stream is not a terminal


class Screen(logging.Handler):
    """Logging handler that shows one progress line with the remaining time, results, warnings and ISDA messages.

    On a terminal the progress line is overwritten in place; otherwise a line is written every ``PAUSE`` seconds.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.stream = stream or sys.stdout
        self.in_place = self.stream.isatty()
        self.width, self.said = 0, -PAUSE

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record if it is relevant; a closed stream does not stop the run, as in ``logging``'s own handlers."""
        try:
            self._show(record.getMessage().strip(), record.levelno)
        except (OSError, ValueError):  # a closed pipe, terminal or file
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
    """Return the values of a training step in ``SHOWN``, in that order. Of several strengths, only one is shown."""
    found = dict(reversed(re.findall(r'(?:[\w.]+\.(?=isda_strength))?([\w.]+): (\S+)', text)))
    return '  '.join(f'{name}: {found[name]}' for name in SHOWN if name in found)


@RUNNERS.register_module()
class ScreenRunner(Runner):
    """MMEngine's Runner with ``Screen`` instead of the full console output; the log file stays complete."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger and replace its console handler by ``Screen``."""
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
        """Log the training setup and the path of the full log, then train."""
        self.register_hook(_Header())
        return super().train()


def runner_from(cfg: Config, quiet: bool = False) -> Runner:
    """Build the Runner of a config; a ScreenRunner if ``quiet``."""
    return (ScreenRunner if quiet else Runner).from_cfg(cfg)


class _Header(Hook):
    priority = 'VERY_LOW'

    def before_train(self, runner: Any) -> None:
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        length = f'{runner.max_epochs} epochs' if by_epoch else f'{runner.max_iters} iterations'
        runner.logger.info(f'training {type(network_of(runner.model)).__name__} on '
                           f'{len(runner.train_dataloader.dataset)} images for {length}; full log: '
                           f'{runner.log_dir}/{runner.timestamp}.log')


class _PythonWarnings(logging.Handler):
    """Handler that writes Python warnings to the log file, and those of isda_seg also to the console."""

    def __init__(self, logger: MMLogger) -> None:
        super().__init__()
        self.logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip()
        self.logger.log(logging.WARNING if '/isda_seg/' in text else logging.INFO, text)
