"""Augmentation N(0, strength Sigma_y) of a trained model, from its checkpoint or computed from a split."""
from typing import NamedTuple

from torch import Tensor

from isda_seg.core import ClassMoments, class_moments, merge
from isda_seg.core.schedule import check_strength
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.features.classifier_inputs import IGNORED, Batch

DIAGONAL, MATRIX = 7.5, 0.5  # the authors' lambda_0, the default for losses without one
LARGEST_FULL = 512           # maximum number of channels for a full covariance


class Augmentation(NamedTuple):
    """Augmentation N(0, strength Sigma_y) of every class."""
    moments: ClassMoments
    kind: str         # covariance: 'diagonal', 'full', 'shared' or 'identity'
    strength: float   # lambda
    origin: str       # 'the checkpoint' or 'the train split'


def merge_batch(moments: ClassMoments | None, batch: Batch, num_classes: int) -> ClassMoments:
    """Merge the moments of another batch: full for image features of at most 512 channels, else diagonal."""
    full = batch.features.dim() == 2 and batch.features.shape[1] <= LARGEST_FULL
    new = class_moments(batch.features, batch.labels, num_classes, covariance='full' if full else 'diagonal',
                        ignore_index=IGNORED)
    return new if moments is None else merge(moments, new)


def is_empty(loss: ISDACriterion) -> bool:
    """Whether the statistics are empty, as after training without ISDA."""
    return not bool(loss.statistics.count.sum())


def augmentation_of(loss: ISDACriterion, of_split: ClassMoments | None, split: str,
                    strength: float | None) -> Augmentation:
    """Return the augmentation of the checkpoint, or of a split if its moments are given; see ``strength_of``."""
    if of_split is None:
        moments, kind, origin = loss.statistics.moments, loss.statistics.kind, 'the checkpoint'
    else:
        moments, origin = of_split, f'the {split} split'
        kind = 'full' if moments.covariance.dim() == 3 else 'diagonal'
    return Augmentation(moments, kind, strength_of(loss, kind, strength), origin)


def strength_of(loss: ISDACriterion, kind: str, strength: float | None = None) -> float:
    """Return ``strength``, by default lambda_0 of the loss or the authors' value for this kind of covariance.

    Raises:
        ValueError: the strength is not positive.
    """
    if strength is None:
        strength = getattr(loss, 'lambda_0', MATRIX if kind in ('full', 'shared') else DIAGONAL)
    if check_strength(strength) == 0:
        raise ValueError('the strength is 0, so that features would not move. Pass a positive --strength, or a config '
                         'whose lambda_0 is positive')
    return float(strength)


def covariance_of(moments: ClassMoments, label: int) -> Tensor:
    """Return Sigma_y of one class, (A,) diagonal or (A, A)."""
    return moments.covariance[label if len(moments.covariance) > 1 else 0]
