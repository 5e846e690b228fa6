"""Wrap losses and attach their classifiers. Plain torch."""
import copy
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from torch import nn

from isda_seg.attach import attach, detach
from isda_seg.attachment.classifier_lookup import classifier_of
from isda_seg.attachment.supported_heads import background_of, classifiers, later_calls_note, unsupported_reason
from isda_seg.attachment.supported_losses import reason_not_softmax
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.pairs import HookedLoss, HookedPair, direct_children, find_pairs, is_list
from isda_seg.openmmlab.per_call import PerCallLosses

Make = Callable[[nn.Module], ISDACriterion]


class HeldLoss(NamedTuple):
    """A loss and the head that holds it."""
    name: str           # name of the head in the model
    head: nn.Module
    path: str          # name of the loss in the head: 'loss_decode', 'loss_decode.0'
    list: nn.Module     # the direct parent of the loss: the head, or its list of losses
    key: str            # name of the loss in its direct parent
    loss: nn.Module


def wrap_losses(model: nn.Module, make: Make | None = None,
                heads: Sequence[str] | None = None) -> tuple[list[HookedPair], list[str]]:
    """Wrap each supported softmax loss of the model in place with ``make``, and attach all its ISDA losses.

    ``heads`` are as in ``ISDAHook``; 'auxiliary_head' stands for all heads of that list. Without ``make`` no loss is
    wrapped. Returns the attached pairs and one log line per head. An error leaves the model as it was.
    """
    unwrapped: dict[str, list[str]] = {}
    losses = list(held_losses(model))
    known = list(dict.fromkeys(held.name for held in losses))
    for name in heads or ():
        if not any(_within(head, name.removeprefix('-')) for head in known):
            raise ValueError(f'Unknown head {name!r} in heads. Choose from the heads with losses: {known}')
    with ExitStack() as undo:
        for held in losses:
            reason = None if isinstance(held.loss, ISDACriterion) else 'it is not an ISDALoss' if make is None else \
                _reason_not_wrapped(model, held, heads)
            if reason is not None:
                unwrapped.setdefault(_title(held.name, held.head), []).append(
                    f'{held.path} is not wrapped: {reason}')
                continue
            loss = held.loss if isinstance(held.loss, ISDACriterion) else make(held.loss)  # type: ignore[misc]
            held.list.add_module(held.key, _per_classifier(model, held, loss))
            undo.callback(held.list.add_module, held.key, held.loss)
        pairs = [HookedPair(*pair) for pair in find_pairs(model)]
        if not pairs:
            raise ValueError(_no_losses_message(unwrapped, make is None))
        for pair in pairs:
            _attach(pair, undo)
        undo.pop_all()
    return pairs, _log_lines(model, pairs, unwrapped)


def _attach(pair: HookedPair, undo: ExitStack) -> None:
    if not isinstance(pair.loss, HookedLoss):
        raise ValueError(f'{_title(pair.name, pair.head)}: {pair.path} is an ISDACriterion, and the hook sets the '
                         'strength of an isda_seg.losses.ISDALoss(lambda_0, base=...): replace it by one')
    was_attached = pair.loss.attached
    attach(pair.loss, pair.classifier, getattr(pair.head, 'align_corners', False))
    if not was_attached:
        undo.callback(detach, pair.loss, pair.classifier)
    pair.loss.warnings.after = None  # the hook reports, with the names of the dataset
    pair.loss.skipped_if_empty = True  # by the box heads of MMDetection
    if pair.loss.ignore_background:
        pair.loss.background = background_of(pair.head, pair.loss.statistics.num_classes)


def _is_loss(module: nn.Module, key: str = '') -> bool:
    """Return whether a module is a loss by the name of its class or a base class, or by its name in its head.

    A module named like a loss that holds parameters may be a head, so it is searched instead.
    """
    if isinstance(module, ISDACriterion) or any(re.search(r'Loss$|CrossEntropy|CE$', kind.__name__)
                                                for kind in type(module).__mro__):
        return True
    named = re.search(r'loss|criterion', f'{key} {type(module).__name__}', re.IGNORECASE)
    return bool(named) and not any(True for _ in module.parameters())


def held_losses(model: nn.Module) -> Iterator[HeldLoss]:
    """Yield every loss that a module of the model directly holds, alone or in lists."""
    for name, head in model.named_modules():
        if not (is_list(head) or _is_loss(head)):
            yield from (HeldLoss(name, head, path, parent, key, child) for path, parent, key, child in
                        direct_children(head) if _is_loss(child, path) and not isinstance(parent, PerCallLosses))


def _reason_not_wrapped(model: nn.Module, held: HeldLoss, heads: Sequence[str] | None) -> str | None:
    """Return why a loss is not wrapped; None if it is."""
    reason = reason_not_softmax(held.loss)
    if reason is not None:
        return reason
    named = [name for name in heads or () if _within(held.name, name.removeprefix('-'))]
    all_others = all(name.startswith('-') for name in heads or ())
    if any(name.startswith('-') for name in named) or not (named or all_others):
        return 'heads excludes it'
    parent = model.get_submodule(held.name.rpartition('.')[0])
    try:
        if (reason := unsupported_reason(type(parent))) is not None:
            return reason
        classifier_of(held.head, held.loss, held.path)
    except ValueError as error:
        return str(error)
    return None


def _within(name: str, wanted: str) -> bool:
    """Return whether a head has the wanted name, or is inside a module of that name."""
    return f'.{wanted}.' in f'.{name}.'


def _per_classifier(model: nn.Module, held: HeldLoss, loss: ISDACriterion) -> nn.Module:
    """Return the ISDA loss, or separate copies of it for each classifier of a loss with several calls per step."""
    names = classifiers(held.head, held.path) or ()
    parent = model.get_submodule(held.name.rpartition('.')[0])
    if len(names) < 2 and later_calls_note(parent) is None:
        return loss
    if later_calls_note(parent) is not None:
        classifier = classifier_of(held.head, loss, held.path)
        names = tuple(name for name, child in held.head.named_children() if child is classifier)
        if loss.factor != 1.0:
            raise ValueError(f'{_title(held.name, held.head)}: loss_weight={loss.factor} of this ISDALoss is not '
                             'supported here: move it into base')
    copies: dict[str, Any] = {name: copy.deepcopy(loss) for name in names}
    for name, one in copies.items():
        one.classifier = name
    return PerCallLosses(copies, loss.base if later_calls_note(parent) is not None else None)


def _title(name: str, head: nn.Module) -> str:
    return f'{name or "the model"} ({type(head).__name__})'


def _log_lines(model: nn.Module, pairs: Sequence[HookedPair], unwrapped: dict[str, list[str]]) -> list[str]:
    """Return one line per head: the wrapped losses with their settings, and the other losses with reasons."""
    wrapped: dict[str, list[str]] = {}
    for pair in pairs:
        loss, of = pair.loss, next(key for key, child in pair.head.named_modules() if child is pair.classifier)
        note = later_calls_note(model.get_submodule(pair.name.rpartition('.')[0]))
        settings = [f'lambda_0={loss.lambda_0}', f'covariance={loss.covariance}', f'resolution={loss.resolution}',
                    *(f'{key}={value}' for key in ('samples', 'logit_adjustment', 'background')
                      if (value := getattr(loss, key)))]
        size = f'{loss.statistics.num_classes} classes x {loss.statistics.channels} channels'
        wrapped.setdefault(_title(pair.name, pair.head), []).append(
            f'{pair.path} is attached to {of}, {size}, {", ".join(settings)}' + ('' if note is None else f' ({note})'))
    return [f'ISDA: {head}: {"; ".join([*wrapped.get(head, []), *unwrapped.get(head, [])])}'
            for head in {**wrapped, **unwrapped}]


def _no_losses_message(unwrapped: dict[str, list[str]], wraps_none: bool) -> str:
    """Return the error message for a model without an ISDA loss, with a remedy."""
    if wraps_none:
        return ('ISDAHook: the model has no ISDALoss. Set lambda_0 to wrap every supported loss: '
                "default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))")
    heads = '; '.join(f'{head}: {"; ".join(reasons)}' for head, reasons in unwrapped.items()) or \
        ("the model has no loss: no module has a class or name with 'loss', 'criterion', 'CrossEntropy' or 'CE'. ISDA "
         'wraps loss modules, such as self.loss = torch.nn.CrossEntropyLoss(), not functions')
    return f'ISDAHook found no loss to wrap. {heads}. To train this model without ISDA, delete default_hooks.isda'
