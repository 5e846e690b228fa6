"""To look at a model in the middle of its training and leave no trace."""
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from isda_seg.paper.pictures.eval_mode import in_eval_mode
from isda_seg.runtime.random_states import random_states_kept


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards every module's mode and all random states are what they were."""
    with random_states_kept(), in_eval_mode(model):
        yield
