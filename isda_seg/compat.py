"""Everything that is about versions of other packages, and nothing else."""
import io
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from mmengine.config import Config

# What mmsegmentation 1.2.2 imports from mmcv.ops at module level; the maintained family guards these imports itself.
OPERATORS = ('point_sample', 'sigmoid_focal_loss', 'CrissCrossAttention', 'PSAMask')
FOR_DEVELOPERS = ('Could not import OneDL',)  # what mmseg prints where it means to log a detail

_variables_logged: set[str] = set()


def require_one_family() -> None:
    """ImportError where two package families installed the same OpenMMLab modules over each other."""
    owners = packages_distributions()
    names: set[str] = set()
    for module in ('mmengine', 'mmcv', 'mmseg', 'mmdet'):
        found = {name for name in owners.get(module, ()) if 'mm' in name}
        names |= found if len(found) > 1 else set()
    if names:
        together = ' '.join(sorted(names))
        raise ImportError(f'packages of two families overwrite each other: {together}. Keep one family: '
                          f'pip uninstall -y {together} and then pip install -c constraints.txt -e ".[seg]"')


@cache
def prepare() -> None:
    """Make the installed family behave alike; every tool calls it before it reads a config."""
    require_one_family()
    from mmengine.config.utils import MODULE2PACKAGE
    MODULE2PACKAGE['mmseg'] = 'mmseg'  # `_base_ = 'mmseg::...'`: the maintained family's distribution has another name
    _stub_operators()


def import_segmentation() -> None:
    """Import MMSegmentation without the lines that tell its developers of an optional package; others are printed."""
    prepare()
    said = io.StringIO()
    with redirect_stdout(said):
        import_module('mmseg.datasets')
    for line in said.getvalue().splitlines():
        if line not in FOR_DEVELOPERS:
            print(line)


def _is_new(record: logging.LogRecord) -> bool:
    """Filter log records: drop MMEngine's message about an environment variable if it was already logged."""
    text = record.getMessage()
    if not text.startswith('Using env variable'):
        return True
    new = text not in _variables_logged
    _variables_logged.add(text)
    return new


def read_config(path: str) -> 'Config':
    """The config at ``path``, whichever package its bases come from.

    Raises:
        ImportError: it inherits from MMDetection, which is not installed; says what to install.
    """
    prepare()
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    logger = MMLogger.get_current_instance()
    logger.addFilter(_is_new)
    try:
        return Config.fromfile(path)
    except ModuleNotFoundError as error:
        if str(error).startswith('mmdet '):
            require_detection()
        raise
    finally:
        logger.removeFilter(_is_new)


def require_detection() -> None:
    """ImportError, in one line, where MMDetection or the compiled operators that it needs are missing."""
    if find_spec('mmdet') is None:
        raise ImportError('detection needs MMDetection, which is not installed: pip install -c constraints.txt '
                          '-e ".[seg,det]", or `make setup-detection` for an environment of its own')
    require_operators('detection')


def require_operators(user: str) -> None:
    """ImportError, in one line, where mmcv lacks the compiled operators that ``user`` needs."""
    try:
        import_module('mmcv._ext')
    except ImportError as error:
        raise ImportError(f'{user} needs mmcv with compiled operators; `make setup-detection` builds them '
                          f'({error})') from error


def require_scikit_learn() -> None:
    """ImportError, in one line, where scikit-learn is missing."""
    if find_spec('sklearn') is None:
        raise ImportError("this needs scikit-learn, which is not installed: "
                          "pip install -c constraints.txt -e '.[gain]'")


def _stub_operators() -> None:
    """Let mmseg be imported beside mmcv-lite: what uses an operator says so when it is built or called."""
    if 'mmcv-lite' not in packages_distributions().get('mmcv', ()) or find_spec('mmcv._ext') is not None:
        return
    if 'mmcv.ops' not in sys.modules:
        import mmcv
        mmcv.ops = sys.modules['mmcv.ops'] = ModuleType('mmcv.ops')
        for name in OPERATORS:
            setattr(mmcv.ops, name, _refuse(name))


def _refuse(name: str) -> Callable[..., None]:
    def operator(*args: Any, **kwargs: Any) -> None:
        raise ImportError(f'{name} needs mmcv with compiled operators, found mmcv-lite')
    return operator


def in_backward() -> bool:
    """Whether a backward pass is going on in this thread; torch has no public name for it."""
    return bool(torch._C._current_graph_task_id() != -1)
