"""ISDALoss, registered in MMEngine's root registry so that every scope of OpenMMLab sees it."""
import inspect
import sys
from typing import Any

from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from isda_seg.compat import require_one_family
from isda_seg.core.schedule import check_strength
from isda_seg.criterion import ISDACriterion
from isda_seg.focal import SoftmaxFocalLoss
from isda_seg.hosts import MeanCrossEntropy, require_softmax

require_one_family()
MODELS.register_module(module=SoftmaxFocalLoss)


@MODELS.register_module()
class ISDALoss(ISDACriterion):
    """The cross-entropy of a head with one softmax classifier, with implicit semantic data augmentation (Eq. 7).

    A config changes ``type`` and adds ``lambda_0``; every other key of the CrossEntropyLoss it replaces is passed on.
    ``ISDAHook`` attaches it and sets its strength.

    Args:
        lambda_0: final strength; no default. The authors' code uses 7.5 for diagonal covariances (Cityscapes,
            most ImageNet networks), the paper 0.5 for full ones (CIFAR).
        covariance, resolution, sync, label_sampling, load_statistics, raise_at_once: as in ``ISDACriterion``.
        base: config of the loss to augment; default the scope's CrossEntropyLoss built from the remaining keys.
        loss_weight: factor of the result.
        loss_name: key in the training log.
        classifier: name of the classifier in the head, where it has several.
        cross_entropy: keys of CrossEntropyLoss (class_weight, avg_non_ignore, reduction, ...).

    Raises:
        ValueError: negative or non-finite lambda_0, a base that is no softmax loss, cross-entropy keys beside
            ``base``, unknown keys.
    """

    def __init__(self, lambda_0: float, covariance: str = 'diagonal', resolution: str = 'label',
                 base: dict[str, Any] | None = None, loss_weight: float = 1.0, loss_name: str = 'loss_isda',
                 sync: bool = True, *, label_sampling: str = 'exact', classifier: str | None = None,
                 load_statistics: bool = True, raise_at_once: bool = False, use_sigmoid: bool = False,
                 use_mask: bool = False, **cross_entropy: Any) -> None:
        if use_sigmoid or use_mask:
            raise ValueError('ISDALoss needs a softmax over the classes: use_sigmoid and use_mask must be False')
        if base is not None and cross_entropy:
            raise ValueError(f'{sorted(cross_entropy)} are keys of the cross-entropy that base={base} replaces: put '
                             'them into base, or delete them')
        scope = _scope()
        with DefaultScope.overwrite_default_scope(scope):
            built = MODELS.build(base) if base is not None else _cross_entropy(scope, loss_weight, cross_entropy)
        require_softmax(built)
        super().__init__(covariance, resolution, label_sampling=label_sampling, base=built, sync=sync,
                         load_statistics=load_statistics, raise_at_once=raise_at_once)
        self.lambda_0 = check_strength(lambda_0, 'lambda_0')
        self.classifier = classifier
        self.factor = 1.0 if base is None else loss_weight
        self._loss_name = loss_name

    @property
    def loss_name(self) -> str:
        """Key of this loss in the training log."""
        return self._loss_name

    def forward(self, cls_score: Tensor, label: Tensor, weight: Tensor | None = None,  # type: ignore[override]
                avg_factor: float | None = None, reduction_override: str | None = None,
                ignore_index: int | None = -100, **kwargs: Any) -> Tensor:
        """As MMSeg's and MMPretrain's cross-entropies are called; errors as ``ISDACriterion.forward``.

        Args:
            cls_score: logits (N, C) or (B, C, H, W), resized to the labels by the head.
            label: (N,) or (B, H, W).
            weight: of each sample or pixel, for a base loss that knows it.
            avg_factor: for a base loss that knows it.
            reduction_override: for a base loss that knows it.
            ignore_index: label that does not count; None is -100.
            kwargs: handed to the base loss.

        Returns:
            ``loss_weight`` times the augmented loss: a scalar, unless the reduction is 'none'.
        """
        wanted = dict(weight=weight, avg_factor=avg_factor, reduction_override=reduction_override, **kwargs)
        given = {key: value for key, value in wanted.items() if value is not None}
        return super().forward(cls_score, label, -100 if ignore_index is None else ignore_index, **given)


def _scope() -> str:
    """The scope a Runner has set; outside of one that of MMSeg where it is imported."""
    scope = DefaultScope.get_current_instance()
    return str(scope.scope_name) if scope is not None else 'mmseg' if 'mmseg' in sys.modules else 'mmengine'


def _cross_entropy(scope: str, loss_weight: float, keys: dict[str, Any]) -> nn.Module:
    """The CrossEntropyLoss of the scope, or plain mean cross-entropy outside of MMSeg and MMPretrain."""
    found = None if scope == 'mmengine' else MODELS.get(f'{scope}.CrossEntropyLoss')
    if found is not None:
        known = inspect.signature(found).parameters
        unknown = sorted(set(keys) - set(known))
        if unknown:
            raise ValueError(f'ISDALoss does not know {unknown}, and neither does the CrossEntropyLoss it replaces')
        built: nn.Module = MODELS.build(dict(type=f'{scope}.CrossEntropyLoss', loss_weight=loss_weight, **keys))
        return built
    if keys or loss_weight != 1.0:
        raise ValueError(f'no CrossEntropyLoss in scope {scope!r} takes {sorted(keys)} or a loss_weight of '
                         f'{loss_weight}; give the loss to augment as base=dict(type=...)')
    return MeanCrossEntropy()
