"""Detect configured ISDALosses that the model never built. Plain torch."""
from collections.abc import Iterator
from typing import Any

from torch import nn

from isda_seg.attachment.supported_heads import unsupported_reason
from isda_seg.criterion import ISDACriterion


def check_unused(config: Any, model: nn.Module) -> None:
    """Check that the model contains every ISDALoss of its config, a nested dict; anything else contains none."""
    named, held = list(_named(config)), [module for module in model.modules() if isinstance(module, ISDACriterion)]
    if len(named) <= len(held):
        return
    modules = dict(model.named_modules())
    lost = [place for place in named if not isinstance(modules.get(place), ISDACriterion)]
    reasons = {reason for place in lost if (reason := unsupported_reason(modules.get(place.rpartition('.')[0], model)))}
    places = ', '.join(f'model.{place}' for place in lost)
    raise ValueError(f'the config contains ISDALoss {len(named)} times, the model {len(held)} times. The model does '
                     f'not use {places}{"".join(f" ({reason})" for reason in reasons)}. Delete this key. To wrap every '
                     "supported loss, use default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', "
                     'lambda_0=...)); the log lists each head')


def _named(node: Any, place: str = '') -> Iterator[str]:
    """Yield the keys of the ISDALosses in a config."""
    if isinstance(node, dict):
        kind = node.get('type', '')
        if str(getattr(kind, '__name__', kind)).rpartition('.')[2] == 'ISDALoss':
            yield place
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, child in children:
        yield from _named(child, f'{place}.{key}' if place else str(key))
