"""Peak CPU tensor memory of a function call."""
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile


def peak_bytes(function: Callable[[], Any]) -> int:
    """Return the peak of the CPU tensor bytes while ``function`` runs, relative to its start."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        function()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, 'trace.json')
        recorded.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())['traceEvents']
    alive = peak = 0
    for event in sorted((e for e in events if e.get('name') == '[memory]'), key=lambda e: e['ts']):
        if event['args'].get('Device Type') == 0:
            alive += event['args']['Bytes']
            peak = max(peak, alive)
    return peak
