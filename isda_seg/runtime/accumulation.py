"""Gradients between two optimizer updates, stored in checkpoints for exact resume."""
import logging
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.runtime.weights import network_of

GRADIENTS = 'accumulated_gradients'  # key in a checkpoint
LOST = 'the gradient of some iterations is lost'  # MMEngine's warning, which does not hold for restored gradients


@HOOKS.register_module()
class AccumulatedGradientsHook(Hook):
    """Store accumulated gradients in every checkpoint that is written between two updates, and restore them at resume.

    Without them, a resumed run with ``optim_wrapper.accumulative_counts`` loses the gradients of up to
    ``accumulative_counts - 1`` iterations. A run with another number of ranks or of accumulated steps does not restore
    them, and MMEngine warns.
    """

    _gradients: list[dict[str, Any]] = []  # collected by gather_state; ranks must not communicate while one saves

    def gather_state(self, runner: Any) -> None:
        """Collect the gradients of all ranks, before the first rank saves."""
        if _counts(runner) > 1:
            self._gradients = all_gather_object({
                name: weight.grad.cpu() for name, weight in network_of(runner.model).named_parameters()
                if weight.grad is not None})

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the gradients of every rank, if there are any."""
        counts = _counts(runner)
        if 'optimizer' not in checkpoint or counts == 1:
            return
        if runner.world_size == 1:
            self.gather_state(runner)
        checkpoint[GRADIENTS] = dict(counts=counts, ranks=self._gradients)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the gradients of this rank at resume."""
        stored = checkpoint.get(GRADIENTS) if runner._resume else None
        if not stored or stored['counts'] != _counts(runner) or len(stored['ranks']) != runner.world_size:
            return
        own = stored['ranks'][runner.rank]
        for name, weight in network_of(runner.model).named_parameters():
            if name in own:
                weight.grad = own[name].to(weight.device)
        if own:
            runner.logger.addFilter(_without_warning)


def _counts(runner: Any) -> int:
    """Return the number of steps per update of the optimizer wrapper, the largest if there are several."""
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if hasattr(wrapper, 'values') else [wrapper]
    return max(int(getattr(one, '_accumulative_counts', 1)) for one in wrappers)


def _without_warning(record: logging.LogRecord) -> bool:
    return LOST not in record.getMessage()
