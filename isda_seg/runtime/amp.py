"""Half precision: MMEngine's wrapper on a GPU, a small one of ours on a CPU."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from isda_seg.runtime.config_keys import type_name


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Autocast to bfloat16 on a CPU, where AmpOptimWrapper refuses to run; needs no loss scaling."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


def enable_amp(cfg: ConfigDict, dtype: str | None = None) -> None:
    """Rewrite ``cfg.optim_wrapper`` in place for half precision on the device at hand.

    Args:
        dtype: 'float16' or 'bfloat16'; default float16 on a GPU, bfloat16 on a CPU.

    Raises:
        ValueError: float16 on a CPU, or an optimizer wrapper that is neither OptimWrapper nor one for half precision.
    """
    wrapper: Any = cfg.optim_wrapper
    kind = type_name(wrapper) or 'OptimWrapper'
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'BFloat16OptimWrapper'):
        raise ValueError(f'--amp needs optim_wrapper.type OptimWrapper, the config has {kind}')
    if torch.cuda.is_available():
        wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic', dtype=dtype or 'float16')
    elif dtype == 'float16':
        raise ValueError('float16 training needs a GPU; on a CPU use --amp bfloat16')
    else:
        wrapper.pop('loss_scale', None)
        wrapper.pop('dtype', None)
        wrapper.type = 'BFloat16OptimWrapper'
