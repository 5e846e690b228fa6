"""Large-margin softmax: multiplies the angle between feature and true-class weight by m."""
import math

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.captured_inputs import weight_of


@MODELS.register_module()
class LargeMarginLoss(MeanCrossEntropy):
    """Mean cross-entropy with ``|w_y| |a| psi(theta)`` as the true-class product (Liu et al., 2016, Eqs. 5-6).

    The margin is annealed: cosine and psi are mixed as ``(l cos(theta) + psi(theta)) / (1 + l)``, with
    ``l = max(minimum, start (1 + gamma t)^-power)`` in training step t. The bias of the classifier is unchanged.

    As base of ``ISDALoss`` it receives the augmented logits and subtracts the margin of the unaugmented feature from
    the true-class logit; Eq. 7 is not an upper bound of it. It counts every training call as a step, so with
    ``samples`` one iteration counts ``samples`` steps.

    Args:
        margin: m, an integer; 1 is cross-entropy. Liu et al. train CIFAR with 2.
        start: initial l; 1000 in Liu et al.
        gamma: rate of the annealing; 2e-5 in Liu et al. Shorter trainings need a larger one.
        power: exponent of the annealing; 45 in Liu et al.
        minimum: lower bound of l; 0 in Liu et al.

    Attributes:
        steps: t, () int64, a buffer.

    Raises:
        ValueError: ``margin`` is not an integer >= 1, or a parameter of l is negative or infinite.
    """

    steps: Tensor

    def __init__(self, margin: int = 2, start: float = 1000.0, gamma: float = 2e-5, power: float = 45.0,
                 minimum: float = 0.0) -> None:
        super().__init__()
        if isinstance(margin, bool) or not isinstance(margin, int) or margin < 1:
            raise ValueError(f'margin must be an integer >= 1, got {margin!r}')
        for name, value in dict(start=start, gamma=gamma, power=power, minimum=minimum).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f'{name} of LargeMarginLoss must be a finite number >= 0, got {value}')
        self.margin, self.start, self.gamma, self.power, self.minimum = margin, start, gamma, power, minimum
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100, *, features: Tensor | None = None,
                classifier: nn.Linear | None = None) -> Tensor:
        """Return the scalar loss; a training call advances the annealing by one step.

        Args:
            logits: (N, C).
            labels: (N,).
            ignore_index: label of ignored samples.
            features: (N, A), input of the classifier.
            classifier: Linear layer with weight (C, A).

        Raises:
            ValueError: features or classifier are missing.
        """
        if features is None or classifier is None:
            raise ValueError('LargeMarginLoss needs features and classifier. Use it in an ImageClassifier, or call '
                             'loss(logits, labels, features=..., classifier=...)')
        true_labels = torch.where(labels == ignore_index, 0, labels)
        missing = missing_margin(features, weight_of(classifier)[true_labels], self.margin) / (1 + self.annealing())
        if self.training and torch.is_grad_enabled():
            self.steps += 1
        margins = F.one_hot(true_labels, logits.shape[1]) * missing[:, None]
        return super().forward(logits - margins, labels, ignore_index)

    def annealing(self) -> Tensor:
        """Return l of the next training step, a scalar tensor."""
        return (self.start * (1 + self.gamma * self.steps) ** -self.power).clamp(min=self.minimum)


def missing_margin(features: Tensor, weight: Tensor, margin: int) -> Tensor:
    """Return ``|w_y| |a| (cos(theta) - psi(theta)) >= 0`` (N,) of features (N, A) and true-class weights (N, A)."""
    lengths = features.norm(dim=1) * weight.norm(dim=1)
    cosine = ((features * weight).sum(dim=1) / lengths.clamp(min=torch.finfo(lengths.dtype).eps)).clamp(-1, 1)
    return lengths * (cosine - psi(cosine, margin))


def psi(cosine: Tensor, margin: int) -> Tensor:
    """Return ``(-1)^k cos(m theta) - 2k`` for theta in [k pi / m, (k + 1) pi / m].

    The function of theta is continuous and decreases from 1 to 1 - 2m. ``cos(m theta)`` is computed as the Chebyshev
    polynomial of the cosine, which avoids the unbounded gradient of the arc cosine.

    Returns:
        tensor with the shape of ``cosine``.
    """
    before, multiple = torch.ones_like(cosine), cosine
    for _ in range(margin - 1):
        before, multiple = multiple, 2 * cosine * multiple - before
    k = sum(((cosine < math.cos(j * math.pi / margin)).to(cosine.dtype) for j in range(1, margin)),
            torch.zeros_like(cosine))
    return (1 - 2 * (k % 2)) * multiple - 2 * k
