"""Separate ISDA losses for a loss that its head calls several times per step. Plain torch."""
from typing import Any

from torch import Tensor, nn


class PerCallLosses(nn.Module):
    """Dispatch of each call to the first loss whose classifier has run since its last call (for ``DAHead`` and K-Net).

    ``losses`` are in the order of the calls, by the name of their classifier; ``rest`` is for the remaining calls.
    """

    def __init__(self, losses: dict[str, nn.Module], rest: nn.Module | None = None) -> None:
        super().__init__()
        self.names = list(losses)
        for name, loss in losses.items():
            self.add_module(name, loss)
        self.rest = rest

    @property
    def losses(self) -> list[nn.Module]:
        """The losses, in the order of the calls."""
        return [self.get_submodule(name) for name in self.names]

    @property
    def loss_name(self) -> str:
        """The key in the training log, which all losses share."""
        return str(self.losses[0].loss_name)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Call the loss whose turn it is, with the given arguments."""
        ready = [loss for loss in self.losses if loss.captured.has_input()]  # type: ignore[operator, union-attr]
        result: Tensor = (ready or [self.rest or self.losses[-1]])[0](*args, **kwargs)
        return result
