"""Mixed precision: MMEngine's wrapper on a GPU, a bfloat16 wrapper on a CPU."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from isda_seg.openmmlab.config_nodes import type_name


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Optimizer wrapper with bfloat16 autocast on a CPU, which AmpOptimWrapper does not support; no loss scaling."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter the base class's context and autocast."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


def enable_amp(cfg: ConfigDict, dtype: str | None = None) -> None:
    """Rewrite ``cfg.optim_wrapper`` in place for mixed precision on the available device.

    ``dtype`` is 'float16' or 'bfloat16'; the default is float16 on a GPU and bfloat16 on a CPU.
    """
    wrapper: Any = cfg.optim_wrapper
    kind = type_name(wrapper) or 'OptimWrapper'
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'BFloat16OptimWrapper'):
        raise ValueError(f"--amp needs optim_wrapper.type='OptimWrapper', but the config has {kind!r}")
    if torch.cuda.is_available():
        wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic', dtype=dtype or 'float16')
    elif dtype == 'float16':
        raise ValueError('float16 training needs a GPU. Use --amp bfloat16 on a CPU')
    else:
        wrapper.pop('loss_scale', None)
        wrapper.pop('dtype', None)
        wrapper.type = 'BFloat16OptimWrapper'
