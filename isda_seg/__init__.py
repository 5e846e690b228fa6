"""Implicit Semantic Data Augmentation (ISDA, arXiv:2007.10538) for semantic segmentation and beyond.

``isda_seg.core`` is the method in pure torch; ``isda_seg.losses`` and ``isda_seg.hooks`` connect it to OpenMMLab.
"""
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isda_seg.attach import attach, detach
    from isda_seg.criterion import ISDACriterion

__version__ = '0.2.0'
__all__ = ['ISDACriterion', '__version__', 'attach', 'detach']

_MODULES = dict(ISDACriterion='isda_seg.criterion', attach='isda_seg.attach', detach='isda_seg.attach')


def __getattr__(name: str) -> Any:
    """Import an exported name on first access, so that ``import isda_seg`` loads neither torch nor MMEngine."""
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module = import_module(_MODULES[name])
    return module if name == 'attach' else getattr(module, name)  # the module isda_seg.attach is callable


def __dir__() -> list[str]:
    """List the exported names too, before they are imported."""
    return sorted({*globals(), *__all__})
