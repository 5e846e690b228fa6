"""Detect configured ISDALosses that the model never built. Plain torch."""
from typing import Any

from torch import nn

from isda_seg.attachment.supported_heads import unsupported_reason
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.config_nodes import named_dicts, type_name


def check_unused(config: Any, model: nn.Module) -> None:
    """Check that the model contains every ISDALoss of its config, a nested dict; anything else contains none."""
    named = [path for path, node in named_dicts(config) if type_name(node) == 'ISDALoss']
    held = [module for module in model.modules() if isinstance(module, ISDACriterion)]
    if len(named) <= len(held):
        return
    modules = dict(model.named_modules())
    lost = [path for path in named if not isinstance(modules.get(path), ISDACriterion)]
    heads = [type(modules.get(path.rpartition('.')[0], model)) for path in lost]
    reasons = set(filter(None, map(unsupported_reason, heads)))
    paths = ', '.join(f'model.{path}' for path in lost)
    raise ValueError(f'the config contains ISDALoss {len(named)} times, the model {len(held)} times. The model does '
                     f'not use {paths}{"".join(f" ({reason})" for reason in reasons)}. Delete this key. To wrap every '
                     "supported loss, use default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', "
                     'lambda_0=...)); the log lists each head')
