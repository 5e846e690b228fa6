"""ISDALoss, registered in MMEngine's root registry so that every scope of OpenMMLab finds it."""
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from isda_seg.attachment.base_losses import MeanCrossEntropy, ignore_index_of, use_weighted_mean
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.attachment.supported_losses import require_softmax
from isda_seg.compat import require_one_family
from isda_seg.core.schedule import check_strength
from isda_seg.openmmlab.config_nodes import did_you_mean
from isda_seg.openmmlab.pairs import HookedLoss

WRAP_KEYS = ('covariance', 'resolution', 'label_sampling', 'sync', 'load_statistics', 'raise_at_once', 'samples',
             'logit_adjustment', 'ignore_background')
HOOK_KEYS = ('lambda_0', 'heads', 'by_epoch', 'ramp')

require_one_family()
MODELS.register_module(module=SoftmaxFocalLoss)


@MODELS.register_module()
class ISDALoss(HookedLoss):
    """Cross-entropy of a softmax classifier with implicit semantic data augmentation (Eq. 7).

    A config changes ``type`` and adds ``lambda_0``. All other keys are passed on to the replaced CrossEntropyLoss.
    ``ISDAHook`` attaches the loss and sets its strength.

    Args:
        lambda_0: final strength; no default. The authors' code uses 7.5 for diagonal covariances (Cityscapes,
            most ImageNet networks), and the paper 0.5 for full ones (CIFAR).
        covariance, resolution, sync, label_sampling, load_statistics, raise_at_once, samples, logit_adjustment: as in
            ``ISDACriterion``.
        base: the loss to augment, or its config; default the scope's CrossEntropyLoss, built from the remaining keys.
        loss_weight: factor of the result.
        loss_name: key in the training log.
        classifier: name of the classifier in the head, if the head has several.
        ignore_background: True leaves out the background of a box head (the last of its C + 1 outputs). Its
            proposals remain negatives of every class and are observed, but their row of the table is 0. The background
            is everything else rather than a Gaussian class, so its covariance extends into the other classes. Heads
            without background do not change.
        cross_entropy: keys of CrossEntropyLoss (class_weight, avg_non_ignore, reduction, ...).

    Raises:
        ValueError: a negative or non-finite lambda_0, a base that is not a softmax cross-entropy, cross-entropy keys
            together with ``base``, unknown keys, or a loss_name without 'loss' in it.
    """

    def __init__(self, lambda_0: float, covariance: str = 'diagonal', resolution: str = 'label',
                 base: dict[str, Any] | nn.Module | None = None, loss_weight: float = 1.0, loss_name: str = 'loss_isda',
                 sync: bool = True, *, label_sampling: str = 'exact', classifier: str | None = None,
                 load_statistics: bool = True, raise_at_once: bool = False, samples: int | None = None,
                 logit_adjustment: float = 0.0, ignore_background: bool = True, use_sigmoid: bool = False,
                 use_mask: bool = False, **cross_entropy: Any) -> None:
        if use_sigmoid or use_mask:
            raise ValueError('ISDALoss needs a softmax over the classes: use_sigmoid and use_mask must be False')
        if base is not None and cross_entropy:
            raise ValueError(f'{sorted(cross_entropy)} are keys of the cross-entropy that base={base} replaces: move '
                             'them into base, or delete them')
        if 'loss' not in loss_name:
            raise ValueError(f"loss_name={loss_name!r} does not contain 'loss', so MMEngine would not train on it: "
                             f"choose a name such as 'loss_{loss_name}'")
        scope = _scope()
        with DefaultScope.overwrite_default_scope(scope):
            built = base if isinstance(base, nn.Module) else MODELS.build(base) if base is not None else \
                _cross_entropy(scope, loss_weight, cross_entropy)
        require_softmax(built)
        use_weighted_mean(built)
        super().__init__(covariance, resolution, label_sampling=label_sampling, base=built, sync=sync, samples=samples,
                         ignore_index=ignore_index_of(built), load_statistics=load_statistics,
                         raise_at_once=raise_at_once, logit_adjustment=logit_adjustment)
        self.lambda_0 = check_strength(lambda_0, 'lambda_0')
        if lambda_0 == 0:
            self.strength = 0.0  # needs no hook
        self.classifier, self.ignore_background = classifier, ignore_background
        self.factor = loss_weight if base is not None or isinstance(built, MeanCrossEntropy) else 1.0
        self.loss_name = loss_name

    def forward(self, cls_score: Tensor, label: Tensor, weight: Tensor | None = None,  # type: ignore[override]
                avg_factor: float | None = None, reduction_override: str | None = None,
                ignore_index: int | None = None, **kwargs: Any) -> Tensor:
        """Return ``loss_weight`` times the augmented loss, with the signature of OpenMMLab's cross-entropies.

        Logits ``cls_score``, ``label``, ``ignore_index`` (default: that of the base loss, or -100) and errors are as in
        ``ISDACriterion.forward``. Arguments that are not None are passed on to the base loss, which must accept them.
        """
        wanted = dict(weight=weight, avg_factor=avg_factor, reduction_override=reduction_override, **kwargs)
        given = {key: value for key, value in wanted.items() if value is not None}
        return super().forward(cls_score, label, ignore_index, **given)


def wrap_with_isda(lambda_0: float | None, **keys: Any) -> Callable[[nn.Module], ISDALoss]:
    """Return a function that wraps a softmax loss in an ISDALoss with these keys, and keeps its weight and log name."""
    unknown = sorted(set(keys) - set(WRAP_KEYS))
    if unknown:
        raise ValueError(f'ISDAHook does not accept {unknown}. It accepts these keys of ISDALoss: {WRAP_KEYS}'
                         + _hints(unknown, [*HOOK_KEYS, *WRAP_KEYS]))
    if lambda_0 is None:
        raise ValueError(f'ISDAHook got {sorted(keys) or "heads"} without lambda_0. Add lambda_0, the final strength '
                         'of the losses that it wraps')

    def make(base: nn.Module) -> ISDALoss:
        loss = ISDALoss(lambda_0, base=base, **keys)
        loss.loss_name = getattr(base, 'loss_name', 'loss_isda')
        return loss

    make(MeanCrossEntropy())  # raises an error for an invalid value before a model is built
    return make


def _scope() -> str:
    """Return the scope set by a Runner, else 'mmseg' if it is imported, else 'mmengine'."""
    scope = DefaultScope.get_current_instance()
    return str(scope.scope_name) if scope is not None else 'mmseg' if 'mmseg' in sys.modules else 'mmengine'


def _cross_entropy(scope: str, loss_weight: float, keys: dict[str, Any]) -> nn.Module:
    """Build the CrossEntropyLoss of the scope, or mean cross-entropy if the scope has none."""
    kind = None if scope == 'mmengine' else MODELS.get(f'{scope}.CrossEntropyLoss')
    known: Iterable[str] = () if kind is None else inspect.signature(kind).parameters
    if unknown := sorted(set(keys) - set(known)):
        raise ValueError(_unknown(unknown, known))
    return MeanCrossEntropy() if kind is None else \
        MODELS.build(dict(type=f'{scope}.CrossEntropyLoss', loss_weight=loss_weight, **keys))


def _unknown(keys: Sequence[str], of_base: Iterable[str]) -> str:
    """Return the error message for keys that neither ISDALoss nor the replaced cross-entropy accepts."""
    ours = [name for name in inspect.signature(ISDALoss.__init__).parameters if name not in ('self', 'cross_entropy')]
    known = list(dict.fromkeys([*ours, *of_base]))
    return (f'ISDALoss does not accept {list(keys)}{_hints(keys, known)}. It accepts {", ".join(known)}. Put '
            "keys of another loss into base: base=dict(type='torch.nn.CrossEntropyLoss', label_smoothing=0.1)")


def _hints(keys: Iterable[str], known: Iterable[str]) -> str:
    """Return a suggestion for each key that is close to a known key."""
    return ''.join(f'; {key}: {hint}' for key in keys if (hint := did_you_mean(key, known)))
