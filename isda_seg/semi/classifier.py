"""Semi-supervised image classifier (Eq. 19)."""
from typing import Any

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.attachment.captured_inputs import weight_of
from isda_seg.classification.classifier import ImageClassifier
from isda_seg.core import isda_consistency
from isda_seg.criterion import ISDACriterion


@MODELS.register_module()
class SemiClassifier(ImageClassifier):
    """Image classifier with the loss ``L_sup + eta_1 L_U + eta_2 R`` (Eq. 19).

    L_sup is the loss of the labelled images and R the base method's term for the unlabelled images. With ISDA, its hook
    wraps L_sup in an ``ISDALoss``, and L_U is the ISDA bound for unlabelled images (Eq. 15). L_U uses the strength and
    the covariances of that loss, which are estimated from labelled features only.

    Args:
        backbone: as in ``ImageClassifier``, like all arguments that are not listed here.
        method: config of the base method with its eta_2: ``PiModel``, ``TemporalEnsembling``, ``MeanTeacher`` or
            ``VAT``.
        eta_1: weight of L_U; 0 omits the term.
    """

    def __init__(self, backbone: dict[str, Any], num_classes: int, method: dict[str, Any], eta_1: float = 0.0,
                 loss: dict[str, Any] | None = None, channels: int | None = None,
                 data_preprocessor: dict[str, Any] | nn.Module | None = None,
                 init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(backbone, num_classes, loss, channels, data_preprocessor, init_cfg)
        if eta_1 < 0:
            raise ValueError(f'eta_1 must be >= 0, got {eta_1}')
        self.eta_1 = eta_1
        self.method = MODELS.build(method)
        self.method.join(self)

    def check_eta_1(self) -> None:
        """Raise a ValueError if ``eta_1 > 0`` without ISDA; call it after the ISDA hook has wrapped the loss."""
        if self.eta_1 > 0 and not isinstance(self.loss, ISDACriterion):
            raise ValueError(f'eta_1 = {self.eta_1} is the weight of an ISDA term. Enable ISDA with default_hooks = '
                             "dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=...))")

    def forward(self, inputs: Tensor, labels: Tensor | None = None,  # type: ignore[override]
                unlabelled: dict[str, Any] | None = None,
                mode: str = 'tensor') -> Tensor | dict[str, Tensor] | list[dict[str, Any]]:
        """Return the same as ``ImageClassifier``; mode 'loss' also needs ``unlabelled``, described in ``Method``."""
        if mode == 'predict':
            return [dict(logits=self.method.predict(self, inputs), labels=labels)]
        found: Any = super().forward(inputs, labels, mode)  # labelled images first: ISDA observes their features
        if mode != 'loss':
            return found
        logits, term = self.method(self, unlabelled)
        found['loss_unlabelled'] = self.method.weight * term
        if self.eta_1 > 0:
            loss: Any = self.loss
            strength = loss.strength
            bound = isda_consistency(logits, weight_of(self.fc), loss.statistics.covariance, strength)
            bound = bound if strength > 0 else bound.detach()  # the entropy of constant targets
            found['loss_isda_unlabelled'] = self.eta_1 * bound
            z = logits.detach().float()
            entropy = F.cross_entropy(z, z.softmax(dim=1), reduction='sum') / max(1, len(z))
            found['isda_divergence'] = bound.detach() - entropy  # the bound on the KL divergence
        return found
