"""A strength that grows by itself, because it counts the training calls of its loss."""
import warnings

import torch
from torch import Tensor, nn

from isda_seg.core.schedule import check_strength, linear_ramp


class Ramp(nn.Module):
    """``linear_ramp`` over the steps that training calls make up (lambda = t/T lambda_0, below Eq. 4).

    Args:
        final: lambda_0, the strength of the last step.
        total: T, steps of the optimizer in the whole training.
        calls_per_step: training calls of the loss that make one step, where gradients are accumulated.

    Attributes:
        calls: () int64, made so far; the state dict. It may be written to, and is read back only then.

    Raises:
        ValueError: a bad strength, no whole number of steps or calls.
    """

    calls: Tensor

    def __init__(self, final: float, total: int, calls_per_step: int = 1) -> None:
        super().__init__()
        for name, number in (('total_steps', total), ('calls_per_step', calls_per_step)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise ValueError(f'{name} must be a whole number of at least 1, got {number!r}')
        self.final, self.total, self.calls_per_step = check_strength(final, 'lambda_0'), total, calls_per_step
        self.register_buffer('calls', torch.zeros((), dtype=torch.int64))
        self._known: tuple[Tensor | None, int, int] = None, 0, 0  # the buffer, its version, its value

    @classmethod
    def of(cls, lambda_0: float | None, total_steps: int | None, calls_per_step: int) -> 'Ramp | None':
        """The ramp of a loss that is told both; None for one that is told neither.

        Raises:
            ValueError: one without the other, calls for no ramp.
        """
        if lambda_0 is None and total_steps is None:
            if calls_per_step != 1:
                raise ValueError('calls_per_step is of a strength that grows by itself: give lambda_0 and total_steps '
                                 'as well')
            return None
        if lambda_0 is None or total_steps is None:
            raise ValueError('lambda_0 and total_steps belong together: with both the strength grows by itself; '
                             f'without either set loss.strength in each step; got lambda_0={lambda_0!r} and '
                             f'total_steps={total_steps!r}')
        return cls(lambda_0, total_steps, calls_per_step)

    def strength(self) -> float:
        """Of the next call."""
        return linear_ramp(self._made() // self.calls_per_step + 1, self.total, self.final)

    def count(self) -> float:
        """The next call has been served: its strength."""
        served, made = self.strength(), self._made() + 1
        self.calls.fill_(made)
        self._known = self.calls, self.calls._version, made
        return served

    def expect(self, state_dict: dict[str, Tensor], key: str) -> None:
        """A state dict of statistics without calls, as of a strength set by hand, leaves the count as it is."""
        if key not in state_dict:
            warnings.warn(f'the checkpoint holds statistics but no {key}, so the strength goes on from call '
                          f'{self._made()}: to resume a run, fill_ the calls of the loss (loss.ramp.calls) with those '
                          'it had made', stacklevel=2)
            state_dict[key] = self.calls

    def extra_repr(self) -> str:
        """What the strength grows to, and in how many steps."""
        return f'lambda_0={self.final}, total_steps={self.total}, calls_per_step={self.calls_per_step}'

    def _made(self) -> int:
        """The number of calls, asked of the device only where somebody else has written it."""
        buffer, version, made = self._known
        if buffer is not self.calls or version != self.calls._version:
            made = int(self.calls)
            self._known = self.calls, self.calls._version, made
        return made
