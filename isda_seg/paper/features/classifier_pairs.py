"""Classifiers of a model, each with its ISDA loss or a new one with empty statistics."""
from collections.abc import Sequence

from torch import nn

from isda_seg.attach import attach
from isda_seg.attachment.classifier_lookup import classifier_of
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.pairs import Pair, find_pairs
from isda_seg.openmmlab.wrapping import held_losses


def classifier_pairs(model: nn.Module) -> list[Pair]:
    """Return the ISDA pairs, and a pair with empty statistics for every other classifier with a loss.

    Raises:
        ValueError: the model has no such classifier; the message has a reason for each loss.
    """
    pairs, reasons = list(find_pairs(model)), []
    for held in held_losses(model):
        if isinstance(held.loss, ISDACriterion):
            continue
        try:
            classifier = classifier_of(held.head, held.loss, held.path)
        except ValueError as error:
            reasons.append(f'{held.name or type(model).__name__}: {error}')
            continue
        if all(pair.classifier is not classifier for pair in pairs):
            loss = ISDACriterion()
            attach(loss, classifier, getattr(held.head, 'align_corners', False))
            pairs.append(Pair(held.name, held.head, loss, classifier, held.path))
    if not pairs:
        raise ValueError('no head of this model has a linear classifier whose features can be analysed. '
                         f'{"; ".join(reasons) or "The model has no loss"}')
    return pairs


def pair_of(pairs: Sequence[Pair], head: str | None = None) -> Pair:
    """Return the pair of a head.

    Args:
        pairs: pairs from ``classifier_pairs``.
        head: name of the head, with the classifier if the head has several ('decode_head.conv_seg'); default
            'decode_head' if the model has one, else the only classifier.

    Raises:
        ValueError: the name matches none or several.
    """
    named: dict[str, Pair] = {}
    for pair in pairs:
        layer = next(name for name, module in pair.head.named_modules() if module is pair.classifier)
        named.setdefault(f'{pair.name}.{layer}'.lstrip('.'), pair)
    prefix = head or ('decode_head' if any(name.startswith('decode_head.') for name in named) else '')
    matches = [name for name in named if not prefix or f'{name}.'.startswith(f'{prefix}.')]
    if len(matches) != 1:
        raise ValueError(f'--head {prefix or "(not given)"} matches {len(matches) or "no"} classifier'
                         f'{"s" if matches else ""} of this model. Choose one of {", ".join(matches or named)}')
    return named[matches[0]]
