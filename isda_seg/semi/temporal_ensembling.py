"""Temporal Ensembling (Laine and Aila, ICLR 2017): consistency with the averaged predictions of past epochs."""
from typing import Any

import torch
import torch.distributed as dist
from mmengine.registry import MODELS
from torch import Tensor
from torch.nn.functional import mse_loss

from isda_seg.semi.method import Method, Student


@MODELS.register_module()
class TemporalEnsembling(Method):
    """Mean squared difference between the probabilities and their average over past epochs (Section 5).

    After each epoch, ``ensemble = alpha ensemble + (1 - alpha) probabilities`` and
    ``targets = ensemble / (1 - alpha^epochs)`` for every image seen in that epoch. The buffers are stored in the
    checkpoint. In the first epoch there are no targets, so R has weight 0.

    Args:
        eta_2: as in ``Method``; 30 on CIFAR-10 and 100 on CIFAR-100 if the labelled loss is averaged over labelled
            images.
        alpha: decay of the average.
    """

    ensemble: Tensor
    targets: Tensor
    epochs: Tensor
    _sum: Tensor
    _times: Tensor

    def __init__(self, eta_2: float = 30.0, ramp_epochs: float = 100, alpha: float = 0.6) -> None:
        super().__init__(eta_2, ramp_epochs)
        if not 0 <= alpha < 1:
            raise ValueError(f'alpha must be in [0, 1), got {alpha}')
        self.alpha = alpha
        self._allocate(0, 0)

    def _allocate(self, images: int, classes: int) -> None:
        for name in ('ensemble', 'targets'):
            self.register_buffer(name, torch.zeros(images, classes))
        self.register_buffer('epochs', torch.zeros(images, dtype=torch.int64))  # per image
        self.register_buffer('_sum', torch.zeros(images, classes), persistent=False)  # over this epoch
        self.register_buffer('_times', torch.zeros(images), persistent=False)

    @property
    def weight(self) -> float:
        """Current eta_2; 0 in the first epoch."""
        weight = super().weight
        return weight if self.epoch is not None and self.epoch >= 1 else 0.0

    def prepare(self, num_unlabelled: int, num_classes: int) -> None:
        """Allocate a row per image if the buffers are empty, and check their size."""
        if len(self.epochs) == 0:
            device = self.epochs.device
            self._allocate(num_unlabelled, num_classes)
            self.to(device)
        self._require((num_unlabelled, num_classes), 'the training data have')

    def _require(self, size: tuple[int, ...], whose: str) -> None:
        own = tuple(self.ensemble.shape)
        if own != tuple(size):
            raise ValueError(f'TemporalEnsembling has predictions of {own[0]} images in {own[1]} classes, but '
                             f'{whose} {size[0]} in {size[1]}. Resume with the data of the checkpoint, or train from '
                             'scratch')

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the student's logits for the first view, and R."""
        index = unlabelled['index']
        logits = student(unlabelled['views'][0])
        probabilities = logits.softmax(dim=1)
        self._sum.index_add_(0, index, probabilities.detach().to(self._sum.dtype))
        self._times.index_add_(0, index, torch.ones_like(index, dtype=self._times.dtype))
        return logits, mse_loss(probabilities, self.targets[index].to(probabilities.dtype))

    @torch.no_grad()
    def after_epoch(self) -> None:
        """Add the predictions of this epoch, summed over ranks, to the ensemble."""
        whole = self.epoch_state()
        seen = whole['times'] > 0
        mean = whole['sum'][seen] / whole['times'][seen, None]  # an image that pads a rank's share occurs twice
        self.epochs[seen] += 1
        self.ensemble[seen] = self.alpha * self.ensemble[seen] + (1 - self.alpha) * mean
        self.targets[seen] = self.ensemble[seen] / (1 - self.alpha ** self.epochs[seen, None])
        self._sum.zero_()
        self._times.zero_()

    def epoch_state(self) -> dict[str, Tensor]:
        """Return the predictions of this epoch, summed over ranks."""
        state = dict(sum=self._sum.clone(), times=self._times.clone())
        if dist.is_available() and dist.is_initialized():
            for each in state.values():
                dist.all_reduce(each)
        return state

    def load_epoch_state(self, state: dict[str, Tensor], first_rank: bool) -> None:
        """Restore the sums on the first rank; the other ranks add to them at the end of the epoch."""
        self._sum.copy_(state['sum'] * first_rank)
        self._times.copy_(state['times'] * first_rank)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Load the buffers; empty ones, as in testing, take the size of the checkpoint, others must have it."""
        stored = state_dict.get(f'{prefix}ensemble')
        if stored is not None:
            if len(self.epochs) == 0:
                self._allocate(*stored.shape)
            self._require(tuple(stored.shape), 'the checkpoint holds')
        super()._load_from_state_dict(state_dict, prefix, *args)
