"""Time and peak memory of a function call, on a CPU or a GPU."""
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.profiler import ProfilerActivity, profile

COPIED_BYTES = 1 << 28  # larger than any cache
TOY_COPIED_BYTES = 1 << 20
COPIES = 11
HEAD_START = 10 ** 8  # clock cycles for which a GPU waits, so that the CPU is ahead


class Meter:
    """Measure time and memory on one device; ``'auto'`` selects a GPU if available.

    Raises:
        ValueError: a GPU is requested but not available.
    """

    def __init__(self, device: str = 'auto') -> None:
        if device == 'auto':
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.device = torch.device(device)
        self.on_gpu = self.device.type == 'cuda'
        if self.on_gpu and not torch.cuda.is_available():
            raise ValueError(f'--device {device}: PyTorch found no GPU. Use --device cpu')

    def seconds(self, function: Callable[[], object]) -> float:
        """Return the seconds that ``function`` takes, including its work on the device."""
        if not self.on_gpu:
            start = time.perf_counter()
            function()
            return time.perf_counter() - start
        return self._elapsed(function, head_start=0)

    def device_seconds(self, function: Callable[[], object]) -> float:
        """Return the seconds of work on the GPU alone: the CPU enqueues it while the GPU waits."""
        return self._elapsed(function, HEAD_START)

    def _elapsed(self, function: Callable[[], object], head_start: int) -> float:
        """Return the GPU seconds of ``function``; before, the GPU waits ``head_start`` clock cycles for the CPU."""
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(self.device)
        if head_start:
            torch.cuda._sleep(head_start)
        before.record()
        function()
        after.record()
        torch.cuda.synchronize(self.device)
        return before.elapsed_time(after) / 1000

    def peak_bytes(self, function: Callable[[], object]) -> int:
        """Return the peak of the tensor bytes while ``function`` runs, relative to its start."""
        if not self.on_gpu:
            return cpu_peak_bytes(function)
        torch.cuda.synchronize(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        function()
        torch.cuda.synchronize(self.device)
        return torch.cuda.max_memory_allocated(self.device) - before

    def bandwidth(self, size: int = COPIED_BYTES) -> float:
        """Return the copy bandwidth in bytes read plus written per second, the median of several copies."""
        source = torch.ones(size // 4, device=self.device)
        target = torch.zeros_like(source)
        return 2 * size / median([self.seconds(lambda: target.copy_(source)) for _ in range(COPIES)])


def cpu_peak_bytes(function: Callable[[], object]) -> int:
    """Return the peak of the CPU tensor bytes while ``function`` runs, relative to its start."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        function()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, 'trace.json')
        recorded.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())['traceEvents']
    current = peak = 0
    for event in sorted((e for e in events if e.get('name') == '[memory]'), key=lambda e: e['ts']):
        if event['args'].get('Device Type') == 0:
            current += event['args']['Bytes']
            peak = max(peak, current)
    return peak
