"""Temporal Ensembling (Laine and Aila, ICLR 2017): the student follows the mean of its predictions of past epochs."""
from typing import Any

import torch
import torch.distributed as dist
from mmengine.registry import MODELS
from torch import Tensor
from torch.nn.functional import mse_loss

from isda_seg.semi.method import Method, Student


@MODELS.register_module()
class TemporalEnsembling(Method):
    """Mean squared difference of the probabilities and of their mean over past epochs (Section 5).

    After each epoch ``ensemble = alpha ensemble + (1 - alpha) probabilities`` and
    ``targets = ensemble / (1 - alpha^epochs)``, by image, for those that the epoch has shown; all in the checkpoint. In
    the first epoch there are no targets, and the weight is 0.

    Args:
        eta_2, ramp_epochs: as in ``Method``; 30 on CIFAR-10, 100 on CIFAR-100, where the labelled loss is a mean over
            labelled images.
        alpha: of the mean.
    """

    def __init__(self, eta_2: float = 30.0, ramp_epochs: float = 100, alpha: float = 0.6) -> None:
        super().__init__(eta_2, ramp_epochs)
        if not 0 <= alpha < 1:
            raise ValueError(f'alpha must lie in 0..1, without 1, got {alpha}')
        self.alpha = alpha
        self._allocate(0, 0)

    def _allocate(self, images: int, classes: int) -> None:
        for name in ('ensemble', 'targets'):
            self.register_buffer(name, torch.zeros(images, classes))
        self.register_buffer('epochs', torch.zeros(images, dtype=torch.int64))  # that have shown the image
        self.register_buffer('_sum', torch.zeros(images, classes), persistent=False)  # of this epoch's probabilities
        self.register_buffer('_times', torch.zeros(images), persistent=False)

    @property
    def weight(self) -> float:
        """eta_2 now; 0 in the first epoch."""
        weight = super().weight
        return weight if self.epoch >= 1 else 0.0

    def prepare(self, num_unlabelled: int, num_classes: int) -> None:
        """A row per image, unless they are there already."""
        if len(self.epochs) == 0:
            device = self.epochs.device
            self._allocate(num_unlabelled, num_classes)
            self.to(device)
        self._require((num_unlabelled, num_classes), 'the training data have')

    def _require(self, size: tuple[int, int], whose: str) -> None:
        own = tuple(self.ensemble.shape)
        if own != tuple(size):
            raise ValueError(f'Temporal Ensembling remembers predictions of {own[0]} images in {own[1]} classes, '
                             f'{whose} {size[0]} in {size[1]}: resume with the data the checkpoint was trained on, or '
                             'train from the start')

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        index = unlabelled['index']
        logits = student(unlabelled['views'][0])
        probabilities = logits.softmax(dim=1)
        self._sum.index_add_(0, index, probabilities.detach().to(self._sum.dtype))
        self._times.index_add_(0, index, torch.ones_like(index, dtype=self._times.dtype))
        return logits, mse_loss(probabilities, self.targets[index])

    @torch.no_grad()
    def after_epoch(self) -> None:
        """Fold this epoch's predictions in; every rank has seen some of the images."""
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(self._sum)
            dist.all_reduce(self._times)
        seen = self._times > 0
        mean = self._sum[seen] / self._times[seen, None]  # an image that fills up a rank's part comes twice
        self.epochs[seen] += 1
        self.ensemble[seen] = self.alpha * self.ensemble[seen] + (1 - self.alpha) * mean
        self.targets[seen] = self.ensemble[seen] / (1 - self.alpha ** self.epochs[seen, None])
        self._sum.zero_()
        self._times.zero_()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Unprepared, as in a test, take the checkpoint's size; else it must agree."""
        stored = state_dict.get(f'{prefix}ensemble')
        if stored is not None:
            if len(self.epochs) == 0:
                self._allocate(*stored.shape)
            self._require(tuple(stored.shape), 'the checkpoint holds')
        super()._load_from_state_dict(state_dict, prefix, *args)
