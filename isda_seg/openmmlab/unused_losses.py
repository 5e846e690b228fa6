"""A head takes any key: one that nothing reads would train plain. Plain torch."""
from collections.abc import Iterator
from typing import Any

from torch import nn

from isda_seg.attachment.supported_heads import refusal
from isda_seg.criterion import ISDACriterion


def check_held(config: Any, model: nn.Module) -> None:
    """Every ISDALoss that a config names is in the model built of it.

    Args:
        config: of the model, a nest of dicts and lists; a model that was handed over ready names none.
        model: what was built.

    Raises:
        ValueError: the config names more than the model holds; says where, and what to do.
    """
    named, held = list(_named(config)), [module for module in model.modules() if isinstance(module, ISDACriterion)]
    if len(named) <= len(held):
        return
    modules = dict(model.named_modules())
    lost = [place for place in named if not isinstance(modules.get(place), ISDACriterion)]
    reasons = {reason for place in lost if (reason := refusal(modules.get(place.rpartition('.')[0], model)))}
    places = ', '.join(f'model.{place}' for place in lost)
    raise ValueError(f'the config names ISDALoss {len(named)} times, the model holds {len(held)}: nothing took {places}'
                     f'{"".join(f" ({reason})" for reason in reasons)}. Delete that; with default_hooks = '
                     "dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=...)) every head is served that can be, "
                     'and the log tells of each')


def _named(node: Any, place: str = '') -> Iterator[str]:
    """Where in a config the ISDALosses stand."""
    if isinstance(node, dict):
        kind = node.get('type', '')
        if str(getattr(kind, '__name__', kind)).rpartition('.')[2] == 'ISDALoss':
            yield place
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, child in children:
        yield from _named(child, f'{place}.{key}' if place else str(key))
