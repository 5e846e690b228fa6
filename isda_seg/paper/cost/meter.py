"""Time and peak memory of a function call, on a CPU or a GPU."""
import time
from collections.abc import Callable
from typing import Any

import torch

from isda_seg.paper.cost.memory import peak_bytes


class Meter:
    """Measure on one device; ``'auto'`` selects a GPU if one is available.

    Raises:
        ValueError: a GPU is requested but not available.
    """

    def __init__(self, device: str = 'auto') -> None:
        if device == 'auto':
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.device = torch.device(device)
        self.on_gpu = self.device.type == 'cuda'
        if self.on_gpu and not torch.cuda.is_available():
            raise ValueError(f'--device {device}: PyTorch found no GPU. Use --device cpu.')

    def seconds(self, function: Callable[[], Any]) -> float:
        """Return the seconds that ``function`` takes, including its work on the device."""
        if not self.on_gpu:
            start = time.perf_counter()
            function()
            return time.perf_counter() - start
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(self.device)
        start.record()
        function()
        end.record()
        torch.cuda.synchronize(self.device)
        return start.elapsed_time(end) / 1000

    def peak_bytes(self, function: Callable[[], Any]) -> int:
        """Return the peak of the tensor bytes while ``function`` runs, relative to its start."""
        if not self.on_gpu:
            return peak_bytes(function)
        torch.cuda.synchronize(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        function()
        torch.cuda.synchronize(self.device)
        return torch.cuda.max_memory_allocated(self.device) - before
