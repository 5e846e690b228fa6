"""Context managers that restore random states, training modes, gradients and running statistics afterwards."""
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Restore the random states of torch, numpy and Python afterwards."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)


def same_random_numbers(device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """Save the random states of CPU and device, and return a context manager that replays them.

    The states found on entry are restored on exit.
    """
    devices = [device] if device.type == 'cuda' else []
    cpu, others = torch.get_rng_state(), [torch.cuda.get_rng_state(one) for one in devices]

    @contextmanager
    def again() -> Iterator[None]:
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(cpu)
            for one, state in zip(devices, others, strict=True):
                torch.cuda.set_rng_state(state, one)
            yield

    return again


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Put networks into eval mode, and restore the mode of every module in them afterwards."""
    modes = {module: module.training for network in networks for module in network.modules()}
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode, and restore every module's mode and all random states afterwards."""
    with random_states_kept(), evaluating(model):
        yield


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Put networks into eval mode without gradients of their weights, and restore both afterwards."""
    weights = {weight: weight.requires_grad for network in networks for weight in network.parameters()}
    with evaluating(*networks):
        try:
            for weight in weights:
                weight.requires_grad_(False)
            yield
        finally:
            for weight, wanted in weights.items():
                weight.requires_grad_(wanted)


@contextmanager
def frozen_running_stats(network: Any) -> Iterator[None]:
    """Stop batch norms from updating their running mean and variance; they still normalise by the batch statistics."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats
             ] if isinstance(network, nn.Module) else []
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
