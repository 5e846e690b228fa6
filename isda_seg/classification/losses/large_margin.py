"""Large-margin softmax: the true class must win by an angle m times as large."""
import math

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.attachment.base_losses import MeanCrossEntropy


@MODELS.register_module()
class LargeMarginLoss(MeanCrossEntropy):
    """Mean cross-entropy with ``|w_y| |a| psi(theta)`` for the true class's ``w_y a`` (Liu et al., 2016, Eqs. 5-6).

    The margin comes gradually: the cosine and psi are mixed, ``(l cos(theta) + psi(theta)) / (1 + l)``, with
    ``l = max(minimum, start (1 + gamma t)^-power)`` in training step t. The classifier's bias is added as it was.

    As base of ``ISDALoss`` it gets the augmented logits, and takes from the true one what the feature itself misses;
    Eq. 7 is no bound of it. It counts its training calls as steps, so ``samples`` draws would count as so many.

    Args:
        margin: m, a whole number; 1 is cross-entropy. The method's authors train CIFAR with 2.
        start, gamma, power, minimum: of l. Theirs: 1000, 2e-5, 45, 0; shorter trainings need a larger gamma.

    Attributes:
        steps: () int64, t: the state dict.

    Raises:
        ValueError: m that is no whole number of at least 1, a negative or infinite number for l.
    """

    steps: Tensor

    def __init__(self, margin: int = 2, start: float = 1000.0, gamma: float = 2e-5, power: float = 45.0,
                 minimum: float = 0.0) -> None:
        super().__init__()
        if isinstance(margin, bool) or not isinstance(margin, int) or margin < 1:
            raise ValueError(f'margin multiplies an angle: it must be a whole number of at least 1, got {margin!r}')
        for name, number in dict(start=start, gamma=gamma, power=power, minimum=minimum).items():
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f'{name} of the annealing must be a finite number >= 0, got {number}')
        self.margin, self.start, self.gamma, self.power, self.minimum = margin, start, gamma, power, minimum
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100, *, features: Tensor | None = None,
                classifier: nn.Linear | None = None) -> Tensor:
        """The loss; a training call is a step of the annealing.

        Args:
            logits: (N, C).
            labels: (N,).
            ignore_index: label that does not count.
            features: (N, A) that entered the classifier.
            classifier: of weight (C, A).

        Raises:
            ValueError: no features or no classifier.
        """
        if features is None or classifier is None:
            raise ValueError('LargeMarginLoss needs the features and the classifier, which an ImageClassifier gives to '
                             'its loss: call loss(logits, labels, features=..., classifier=...)')
        own = torch.where(labels == ignore_index, 0, labels)
        missing = missing_margin(features, classifier.weight[own], self.margin) / (1 + self.mixed())
        if self.training and torch.is_grad_enabled():
            self.steps += 1
        return super().forward(logits - F.one_hot(own, logits.shape[1]) * missing[:, None], labels, ignore_index)

    def mixed(self) -> Tensor:
        """() l of the next training step."""
        return (self.start * (1 + self.gamma * self.steps) ** -self.power).clamp(min=self.minimum)


def missing_margin(features: Tensor, weight: Tensor, margin: int) -> Tensor:
    """``|w_y| |a| (cos(theta) - psi(theta))``, (N,), never below 0; features (N, A), weight (N, A) of their classes."""
    lengths = features.norm(dim=1) * weight.norm(dim=1)
    cosine = ((features * weight).sum(dim=1) / lengths.clamp(min=torch.finfo(lengths.dtype).eps)).clamp(-1, 1)
    return lengths * (cosine - psi(cosine, margin))


def psi(cosine: Tensor, margin: int) -> Tensor:
    """``(-1)^k cos(m theta) - 2k`` for theta between k pi / m and (k + 1) pi / m: continuous, falling from 1 to 1 - 2m.

    ``cos(m theta)`` is Chebyshev's polynomial of the cosine, so that no arc cosine is differentiated.

    Args:
        cosine: in [-1, 1], of any shape.
        margin: m, a whole number of at least 1.

    Returns:
        like cosine.
    """
    before, multiple = torch.ones_like(cosine), cosine
    for _ in range(margin - 1):
        before, multiple = multiple, 2 * cosine * multiple - before
    k = sum(((cosine < math.cos(j * math.pi / margin)).to(cosine.dtype) for j in range(1, margin)),
            torch.zeros_like(cosine))
    return (1 - 2 * (k % 2)) * multiple - 2 * k
