"""The class statistics that a loss holds: created by ``attach`` or by a checkpoint."""
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.attachment.captured_inputs import CapturedInputs
from isda_seg.attachment.ramp import Ramp
from isda_seg.core import ClassStatistics
from isda_seg.core.ops.precision import no_autocast
from isda_seg.core.windows import Windows


class HeldStatistics(nn.Module):
    """Base class of a loss with statistics, and with a ramp that a checkpoint resumes."""

    statistics: ClassStatistics  # None until the loss is attached or a checkpoint is loaded
    ramp: Ramp | None
    strength = 0.0  # until the ramp or the training loop sets it
    sources: Sequence[str] | None = None  # the file of each sample in the batch, for error messages
    captured: CapturedInputs
    covariance: str
    sync: bool
    load_statistics: bool
    skipped_if_empty = False  # whether the head may not call the loss for a batch without samples

    def __init__(self) -> None:
        super().__init__()
        self.statistics, self.attached = None, False  # type: ignore[assignment]
        self._load_errors: list[str] = []  # of the last state dict, whose loading torch refuses at its end

    def prepare(self, num_classes: int, channels: int) -> None:
        """Create the statistics, or check the shape of existing ones."""
        fits = self.statistics is not None and (self.statistics.num_classes, self.statistics.channels) == (
            num_classes, channels)
        if self.statistics is None or not (fits or self.attached) and self._load_errors:  # those of a refused state
            self.statistics = ClassStatistics(num_classes, channels, self.covariance, self.sync)
        elif not fits:
            remedy = 'detach this loss and attach a new one' if self.attached else 'use load_statistics=False'
            raise ValueError(f'the statistics have {self.statistics.num_classes} classes x {self.statistics.channels} '
                             f'channels, the classifier has {num_classes} x {channels}: {remedy}')

    def observe(self, features: Tensor | Windows, labels: Tensor, ignored: int, reversible: bool) -> Callable[[], None]:
        """Observe a checked batch, except one of ``observe_skipped``; return a function that undoes it."""
        if self.skipped_if_empty and self.captured.empty() is not None:
            return lambda: None
        return self.statistics.observe(features, labels, ignored, checked=True, reversible=reversible)

    def observe_skipped(self) -> None:
        """Observe a captured batch without samples if its head may skip the loss: the other ranks wait for it."""
        if self.skipped_if_empty and (features := self.captured.empty()) is not None:
            with no_autocast(features.device.type):
                self.statistics.observe(features.new_zeros(0, self.statistics.channels),
                                        features.new_zeros(0, dtype=torch.int64))

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load the state. If it is refused, the loss keeps its buffers, and its statistics or none."""
        statistics = self.statistics
        buffers = [(module, {name: None if buffer is None else buffer.clone()
                             for name, buffer in module._buffers.items()}) for module in self.modules()]
        try:
            return super().load_state_dict(*args, **kwargs)
        except Exception:
            self.statistics = statistics
            for module, values in buffers:
                module._buffers.update(values)
            raise

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Load the state; a loss that is not attached creates statistics of the checkpoint's shape."""
        if not self.load_statistics:
            loaded, own = ({key: value for key, value in state.items()
                            if key.startswith((f'{prefix}statistics.', f'{prefix}ramp.'))}
                           for state in (state_dict, self.state_dict(prefix=prefix)))
            for key in loaded:
                state_dict.pop(key)
            if loaded:  # no key counts as missing
                state_dict.update(own)
        elif (mean := state_dict.get(f'{prefix}statistics.mean')) is not None:
            if self.statistics is None and mean.dim() == 2:
                statistics = ClassStatistics(*mean.shape, self.covariance, self.sync)
                statistics.check_state(state_dict, f'{prefix}statistics.')
                self.statistics = statistics
            if self.ramp:
                self.ramp.fill_missing(state_dict, f'{prefix}ramp.calls')
        self._load_errors = args[-1]
        self.captured.forget_weight()
        super()._load_from_state_dict(state_dict, prefix, *args)
