"""Wrap the softmax losses of a model, attach its ISDA losses, tell of each head what became of it. Plain torch."""
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import nn

from isda_seg.attach import attach
from isda_seg.attachment.base_losses import why_plain
from isda_seg.attachment.classifier_lookup import classifier_of
from isda_seg.attachment.supported_heads import classifiers, later_calls
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.pairs import Pair, find_pairs
from isda_seg.openmmlab.per_call import PerCallLosses

Make = Callable[[nn.Module], ISDACriterion]


class Held(NamedTuple):
    """A loss in a head."""
    name: str           # of the head in the model
    holder: nn.Module   # the head
    place: str          # of the loss in the head: 'loss_decode', 'loss_decode.0'
    list: nn.Module     # the head, or its list of losses, ...
    key: str            # ... and where the loss stands in that
    loss: nn.Module


class Served(NamedTuple):
    """The pairs that were attached, and a line for the log on each head."""
    pairs: list[Pair]
    lines: list[str]


def serve(model: nn.Module, make: Make | None = None, heads: Sequence[str] | None = None) -> Served:
    """Attach every ISDA loss that the model holds, after wrapping each softmax loss that can be served.

    Args:
        model: its losses are replaced in their places.
        make: the ISDA loss around a base loss; None: nothing is wrapped.
        heads: names of the heads whose losses are wrapped, '-name' to leave one out; None: all. 'auxiliary_head' names
            all heads of that list.

    Raises:
        ValueError: a name that no head has, nothing to serve, an ISDA loss of a head that cannot be served.
    """
    plain: dict[str, list[str]] = {}
    losses = list(held_losses(model))
    _check_names(heads or (), list(dict.fromkeys(held.name for held in losses)))
    for held in losses:
        own = isinstance(held.loss, ISDACriterion)
        reason = None if own else 'it has no ISDALoss' if make is None else _why_not(held, heads)
        if reason is not None:
            plain.setdefault(_title(held.name, held.holder), []).append(f'{held.place} stays plain: {reason}')
            continue
        loss = held.loss if isinstance(held.loss, ISDACriterion) else make(held.loss)  # type: ignore[misc]
        held.list.add_module(held.key, _in_turn(model, held, loss))
    pairs = list(find_pairs(model))
    if not pairs:
        raise ValueError(_nothing(plain, make is None))
    for pair in pairs:
        attach(pair.loss, pair.classifier, getattr(pair.holder, 'align_corners', False))
    return Served(pairs, _lines(model, pairs, plain))


def _is_loss(module: nn.Module) -> bool:
    return isinstance(module, ISDACriterion) or type(module).__name__.endswith(('Loss', 'CrossEntropy'))


def held_losses(model: nn.Module) -> Iterator[Held]:
    """Every loss that a module directly holds, alone or in a list."""
    for name, holder in model.named_modules():
        if isinstance(holder, (nn.ModuleList, PerCallLosses)) or _is_loss(holder):
            continue
        for key, child in holder.named_children():
            if isinstance(child, nn.ModuleList):
                yield from (Held(name, holder, f'{key}.{inner}', child, inner, loss)
                            for inner, loss in child.named_children() if _is_loss(loss))
            elif _is_loss(child):
                yield Held(name, holder, key, holder, key, child)


def _why_not(held: Held, heads: Sequence[str] | None) -> str | None:
    """Why a loss is not wrapped."""
    reason = why_plain(held.loss)
    if reason is not None:
        return reason
    named = [name for name in heads or () if _within(held.name, name.removeprefix('-'))]
    all_others = all(name.startswith('-') for name in heads or ())
    if any(name.startswith('-') for name in named) or not (named or all_others):
        return 'heads leaves it out'
    try:
        classifier_of(held.holder, held.loss, held.place)
    except ValueError as error:
        return str(error)
    return None


def _within(name: str, wanted: str) -> bool:
    """Whether a head has this name, or lies in what has it."""
    return f'.{wanted}.' in f'.{name}.'


def _check_names(heads: Sequence[str], known: Sequence[str]) -> None:
    for name in heads:
        if not any(_within(head, name.removeprefix('-')) for head in known):
            raise ValueError(f'heads names {name!r}; the heads with losses are {list(known)}')


def _in_turn(model: nn.Module, held: Held, loss: ISDACriterion) -> nn.Module:
    """The ISDA loss, or one for each of the classifiers that its calls come from."""
    names = classifiers(held.holder, held.place) or ()
    parent = model.get_submodule(held.name.rpartition('.')[0])
    if len(names) < 2 and later_calls(parent) is None:
        return loss
    if later_calls(parent) is not None:
        classifier = classifier_of(held.holder, loss, held.place)
        names = tuple(name for name, child in held.holder.named_children() if child is classifier)
        if loss.factor != 1.0:
            raise ValueError(f'{_title(held.name, held.holder)}: put the loss_weight of this ISDALoss into its base')
    copies: dict[str, Any] = {name: copy.deepcopy(loss) for name in names}
    for name, own in copies.items():
        own.classifier = name
    return PerCallLosses(copies, loss.base if later_calls(parent) is not None else None)


def _title(name: str, holder: nn.Module) -> str:
    return f'{name or "the model"} ({type(holder).__name__})'


def _lines(model: nn.Module, pairs: Sequence[Pair], plain: dict[str, list[str]]) -> list[str]:
    """One for each head: what was served and how, what stays plain and why."""
    told: dict[str, list[str]] = {}
    for name, holder, criterion, classifier, place in pairs:
        loss: Any = criterion  # an ISDALoss, which knows its lambda_0
        of = next(key for key, child in holder.named_modules() if child is classifier)
        note = later_calls(model.get_submodule(name.rpartition('.')[0]))
        optional = [f'{key}={value}' for key in ('samples', 'logit_adjustment') if (value := getattr(loss, key))]
        told.setdefault(_title(name, holder), []).append(
            f'{place} is served by {of}, {loss.statistics.num_classes} classes x {loss.statistics.channels} channels, '
            + ', '.join([f'lambda_0={loss.lambda_0}', f'covariance={loss.covariance}', f'resolution={loss.resolution}',
                         *optional]) + ('' if note is None else f' ({note})'))
    return [f'ISDA: {head}: {"; ".join([*told.get(head, []), *plain.get(head, [])])}' for head in {**told, **plain}]


def _nothing(plain: dict[str, list[str]], wraps_none: bool) -> str:
    """Why ISDA has nothing to do in this model, and what to do about it."""
    if wraps_none:
        return ('ISDAHook: the model has no ISDALoss. Give the hook a strength, which serves every head it can: '
                "default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))")
    heads = '; '.join(f'{head}: {"; ".join(reasons)}' for head, reasons in plain.items()) or 'the model holds no loss'
    return (f'ISDAHook has nothing to serve. {heads}. To train this model without ISDA, delete default_hooks.isda')
