"""Linear ramp of the strength that counts the training calls of its loss."""
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.core.ops.device import on_cpu
from isda_seg.core.schedule import check_strength, linear_ramp


class Ramp(nn.Module):
    """``linear_ramp`` over the optimizer steps, counted by training calls (lambda = t/T lambda_0, below Eq. 4).

    ``total_steps`` is the number of optimizer steps, ``calls_per_step`` that of training calls per step.
    The buffer ``calls`` is the number of training calls so far; users may change its value.
    """

    calls: Tensor

    def __init__(self, lambda_0: float, total_steps: int, calls_per_step: int = 1) -> None:
        super().__init__()
        for name, number in (('total_steps', total_steps), ('calls_per_step', calls_per_step)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise ValueError(f'{name} must be a positive integer, got {number!r}')
        self.lambda_0, self.total_steps = check_strength(lambda_0, 'lambda_0'), total_steps
        self.calls_per_step = calls_per_step
        self.register_buffer('calls', torch.zeros((), dtype=torch.int64))
        self._known: tuple[Tensor | None, int, int] = None, 0, 0  # the buffer, its version, its value

    @classmethod
    def of(cls, lambda_0: float | None, total_steps: int | None, calls_per_step: int) -> 'Ramp | None':
        """Return the ramp for ``lambda_0`` and ``total_steps``; None if both are None."""
        if lambda_0 is None and total_steps is None:
            if calls_per_step != 1:
                raise ValueError(f'calls_per_step={calls_per_step} requires lambda_0 and total_steps: give these too, '
                                 'or delete calls_per_step')
            return None
        if lambda_0 is None or total_steps is None:
            raise ValueError(f'got lambda_0={lambda_0!r} and total_steps={total_steps!r}: give both for a linear ramp, '
                             'or neither and set loss.strength in each step')
        return cls(lambda_0, total_steps, calls_per_step)

    def strength(self) -> float:
        """Return the strength of the next call."""
        return linear_ramp(self._calls_made() // self.calls_per_step + 1, self.total_steps, self.lambda_0)

    def advance(self) -> float:
        """Count one call, and return its strength."""
        strength, made = self.strength(), self._calls_made() + 1
        self.calls.fill_(made)
        self._known = self.calls, self.calls._version, made
        return strength

    def fill_missing(self, state_dict: dict[str, Tensor], key: str) -> None:
        """Add the current number of calls to a state dict without it, with a warning."""
        if key not in state_dict:
            warnings.warn(f'the checkpoint contains statistics but no {key}, so the ramp continues from call '
                          f'{self._calls_made()}. To resume a run, set the number of its training calls with '
                          'loss.ramp.calls.fill_(number)', stacklevel=2)
            state_dict[key] = self.calls

    def extra_repr(self) -> str:
        """Return the arguments for ``repr``."""
        return f'lambda_0={self.lambda_0}, total_steps={self.total_steps}, calls_per_step={self.calls_per_step}'

    def __getstate__(self) -> dict[str, Any]:
        """Copy without the remembered value, which belongs to the buffer of the original."""
        return dict(self.__dict__, _known=(None, 0, 0))

    def _load_from_state_dict(self, *args: Any) -> None:
        """Load the state, and forget the remembered value."""
        super()._load_from_state_dict(*args)
        self._known = None, 0, 0

    def _calls_made(self) -> int:
        """Return the number of calls. An accelerator reads the buffer only after it has been changed from outside."""
        buffer, version, made = self._known
        if on_cpu(self.calls) or buffer is not self.calls or version != self.calls._version:
            made = int(self.calls)
            self._known = self.calls, self.calls._version, made
        return made
