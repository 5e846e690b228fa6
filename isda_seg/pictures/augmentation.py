"""The augmentation of a trained model, N(0, strength Sigma_y): of its checkpoint, or else of what a split shows."""
from typing import NamedTuple

from torch import Tensor

from isda_seg.analysis.classifier_inputs import IGNORED, Step
from isda_seg.core import ClassMoments, class_moments, merge
from isda_seg.core.schedule import check_strength
from isda_seg.criterion import ISDACriterion

STRENGTHS = {'full': 0.5, 'diagonal': 7.5}  # the authors', for a model trained without ISDA
LARGEST_FULL = 512                          # channels of which a full covariance is estimated


class Augmentation(NamedTuple):
    """N(0, strength Sigma_y) of every class."""
    moments: ClassMoments
    kind: str         # of the covariance: 'diagonal', 'full', 'shared' or 'identity'
    strength: float   # lambda
    origin: str       # 'the checkpoint' or 'the train split'


def fold_step(moments: ClassMoments | None, step: Step, num_classes: int) -> ClassMoments:
    """The moments with those of another batch: full for images of at most 512 channels, else diagonal."""
    full = step.features.dim() == 2 and step.features.shape[1] <= LARGEST_FULL
    new = class_moments(step.features, step.labels, num_classes, covariance='full' if full else 'diagonal',
                        ignore_index=IGNORED)
    return new if moments is None else merge(moments, new)


def has_statistics(loss: ISDACriterion) -> bool:
    """Whether a checkpoint holds statistics: they are empty where training knew no ISDA."""
    return bool(loss.statistics.count.sum())


def augmentation_of(loss: ISDACriterion, of_split: ClassMoments | None, split: str,
                    strength: float | None) -> Augmentation:
    """That of the checkpoint, or of a split where moments of it are given.

    Args:
        strength: None is lambda_0 of the loss, or the authors' value for this kind of covariance.

    Raises:
        ValueError: a strength that is not above 0.
    """
    statistics = loss.statistics
    moments, origin = (statistics.moments, 'the checkpoint') if of_split is None else (of_split, f'the {split} split')
    kind = statistics.kind if of_split is None else 'full' if of_split.covariance.dim() == 3 else 'diagonal'
    if strength is None:
        strength = getattr(loss, 'lambda_0', STRENGTHS.get(kind, 1.0))
    if check_strength(strength) == 0:
        raise ValueError('with strength 0 no feature moves: give --strength, such as the lambda_0 of an ISDA config')
    return Augmentation(moments, kind, float(strength), origin)


def covariance_of(moments: ClassMoments, label: int) -> Tensor:
    """Sigma_y of one class, (A,) diagonal or (A, A)."""
    return moments.covariance[label if len(moments.covariance) > 1 else 0]
