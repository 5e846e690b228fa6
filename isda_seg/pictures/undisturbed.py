"""To look at a model in the middle of its training and leave no trace."""
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards every module's mode and all random states are what they were."""
    training = [(module, module.training) for module in model.modules()]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        model.eval()
        try:
            yield
        finally:
            for module, mode in training:
                module.training = mode
            random.setstate(of_python)
            np.random.set_state(of_numpy)
