"""Compatibility with the installed versions of other packages."""
import io
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import PurePath
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from mmengine.config import Config

# Imported from mmcv.ops at module level by mmsegmentation 1.2.2. The maintained family guards these imports itself.
OPERATORS = ('point_sample', 'sigmoid_focal_loss', 'CrissCrossAttention', 'PSAMask')
HIDDEN_LINES = ('Could not import OneDL',)  # printed by mmseg at import, about an optional package

_variables_logged: set[str] = set()


def require_one_family() -> None:
    """Raise ImportError if two package families have installed the same OpenMMLab modules."""
    owners = packages_distributions()
    names: set[str] = set()
    for module in ('mmengine', 'mmcv', 'mmseg', 'mmdet'):
        found = {name for name in owners.get(module, ()) if 'mm' in name}
        names |= found if len(found) > 1 else set()
    if names:
        together = ' '.join(sorted(names))
        raise ImportError(f'packages of two families overwrite each other: {together}. Keep one family: '
                          f'pip uninstall -y {together} and then pip install -c constraints.txt -e ".[seg]"')


def require_mmcv() -> None:
    """Raise ImportError if mmsegmentation, which does not require mmcv itself, is installed without it."""
    if 'mmsegmentation' in packages_distributions().get('mmseg', ()) and find_spec('mmcv') is None:
        raise ImportError("mmsegmentation needs mmcv, which is not installed: pip install 'mmcv-lite>=2.1.0,<2.2'")


def require_numpy_in_torch() -> None:
    """Raise ImportError if torch was built for another major version of numpy than the installed one."""
    try:
        torch.zeros(1).numpy()
    except RuntimeError as error:
        raise ImportError(f'torch {torch.__version__} cannot use the installed numpy {version("numpy")}: pip install '
                          "'numpy<2', or a newer torch") from error


@cache
def prepare() -> None:
    """Adapt the installed package family. Call this before a config is read."""
    require_one_family()
    require_mmcv()
    require_numpy_in_torch()
    from mmengine.config.utils import MODULE2PACKAGE
    MODULE2PACKAGE['mmseg'] = 'mmseg'  # `_base_ = 'mmseg::...'`: the maintained family's distribution has another name
    _stub_operators()


def import_segmentation() -> None:
    """Import MMSegmentation without its printed lines about an optional package."""
    prepare()
    output = io.StringIO()
    with redirect_stdout(output):
        import_module('mmseg.datasets')
    for line in output.getvalue().splitlines():
        if line not in HIDDEN_LINES:
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
    """Read the config at ``path``, including bases from OpenMMLab packages."""
    prepare()
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    logger = MMLogger.get_current_instance()
    logger.addFilter(_is_new)
    try:
        return _plain(Config.fromfile(path))
    except ModuleNotFoundError as error:
        if str(error).startswith('mmdet '):
            require_detection()
        raise
    finally:
        logger.removeFilter(_is_new)


def _plain(cfg: 'Config') -> 'Config':
    """Convert pathlib paths to strings and remove imported classes, in place; MMEngine can write neither to a file."""
    for name in [name for name in cfg if isinstance(cfg[name], type)]:
        cfg.pop(name)
    for name in cfg:
        cfg[name] = _strings(cfg[name])
    return cfg


def _strings(node: Any) -> Any:
    """Convert pathlib paths in nested dicts, lists and tuples to strings; dicts are changed in place."""
    if isinstance(node, dict):
        for key, value in list(node.items()):
            node[key] = _strings(value)
        return node
    if type(node) in (list, tuple):
        return type(node)(map(_strings, node))
    return str(node) if isinstance(node, PurePath) else node


def require_detection() -> None:
    """Raise ImportError if MMDetection or the compiled operators of mmcv are missing."""
    if find_spec('mmdet') is None:
        raise ImportError('detection needs MMDetection, which is not installed: pip install -c constraints.txt '
                          '-e ".[seg,det]", or `make setup-detection` for a separate environment')
    require_operators('detection')


def require_operators(user: str) -> None:
    """Raise ImportError if the compiled operators of mmcv, which ``user`` needs, are missing."""
    try:
        import_module('mmcv._ext')
    except ImportError as error:
        raise ImportError(f'{user} needs mmcv with compiled operators; `make setup-detection` builds them '
                          f'({error})') from error


def require_scikit_learn() -> None:
    """Raise ImportError if scikit-learn is missing."""
    if find_spec('sklearn') is None:
        raise ImportError("this needs scikit-learn, which is not installed: "
                          "pip install -c constraints.txt -e '.[gain]'")


def _stub_operators() -> None:
    """Make mmseg importable with mmcv-lite: operators raise ImportError only when they are built or called."""
    if 'mmcv-lite' not in packages_distributions().get('mmcv', ()) or find_spec('mmcv._ext') is not None:
        return
    if 'mmcv.ops' not in sys.modules:
        import mmcv
        mmcv.ops = sys.modules['mmcv.ops'] = ModuleType('mmcv.ops')
        for name in OPERATORS:
            setattr(mmcv.ops, name, _missing_operator(name))


def _missing_operator(name: str) -> Callable[..., None]:
    def operator(*args: Any, **kwargs: Any) -> None:
        raise ImportError(f'{name} needs mmcv with compiled operators, found mmcv-lite')
    return operator
