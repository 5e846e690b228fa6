"""Find the ISDA losses of a model, each with the classifier of its logits. Plain torch."""
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from isda_seg.attachment.classifier_lookup import classifier_of
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.per_call import PerCallLosses


class Pair(NamedTuple):
    """An ISDA loss, the module that directly holds it, the loss's place there, and the classifier of its logits."""
    name: str
    holder: nn.Module
    loss: ISDACriterion
    classifier: nn.Module
    place: str


def find_pairs(model: nn.Module) -> Iterator[Pair]:
    """Every ISDA loss in the model with its classifier, found by structure.

    The module that directly holds an ISDA loss (or a list of losses with one) must directly hold exactly one
    classifier with ``num_classes`` outputs; ``loss.classifier`` names it where there are several, and of
    MMSegmentation's heads it is known.

    Raises:
        ValueError: names the module and what was found instead.
    """
    for name, holder in model.named_modules():
        for place, loss in () if isinstance(holder, (nn.ModuleList, PerCallLosses)) else _isda_losses(holder):
            try:
                classifier = classifier_of(holder, loss, place)
            except ValueError as error:
                raise ValueError(f'{name or "the model"} ({type(holder).__name__}): {error}. A head that cannot be '
                                 'served keeps its own loss: put that in the place of the ISDALoss') from None
            yield Pair(name, holder, loss, classifier, place)


def _isda_losses(holder: nn.Module, within: str = '') -> Iterator[tuple[str, ISDACriterion]]:
    """Those that a module directly holds, alone or in lists, with their places in it."""
    for key, child in holder.named_children():
        if isinstance(child, ISDACriterion):
            yield f'{within}{key}', child
        elif isinstance(child, (nn.ModuleList, PerCallLosses)):
            yield from _isda_losses(child, f'{within}{key}.')
