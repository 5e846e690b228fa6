"""One loss of a head that is called several times in a step: an ISDA loss for each of its classifiers. Plain torch."""
from typing import Any

from torch import Tensor, nn


class PerCallLosses(nn.Module):
    """Hands each call to the first loss whose classifier has run since its last call, as ``DAHead`` and K-Net need.

    Args:
        losses: ISDA losses by the name of their classifier, in the order of the calls.
        rest: takes the calls that are left over, those on logits of no classifier; None: there are none.
    """

    def __init__(self, losses: dict[str, nn.Module], rest: nn.Module | None = None) -> None:
        super().__init__()
        self.names = list(losses)
        for name, loss in losses.items():
            self.add_module(name, loss)
        self.rest = rest

    @property
    def losses(self) -> list[nn.Module]:
        """In the order of the calls."""
        return [self.get_submodule(name) for name in self.names]

    @property
    def loss_name(self) -> str:
        """Key in the training log, which is that of each."""
        return str(self.losses[0].loss_name)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """As the losses are called.

        Raises:
            RuntimeError: more calls than classifiers, and nobody to take them.
        """
        waiting = [loss for loss in self.losses if loss.captured.waiting()]  # type: ignore[operator, union-attr]
        result: Tensor = (waiting or [self.rest or self.losses[-1]])[0](*args, **kwargs)
        return result
