"""Export of a checkpoint's weights for the model without ISDA."""
import re
from pathlib import Path
from typing import Any

import torch

from isda_seg.core import ClassStatistics
from isda_seg.runtime.checkpoint import checkpoint_to_convert
from isda_seg.runtime.durable import written_aside

BUFFERS = '|'.join([*ClassStatistics(2, 1).state_dict(), 'capacity'])  # that of an accelerator's gathering
STATISTICS = re.compile(rf'(?:^|\.)(?:statistics\.(?:{BUFFERS})|ramp\.calls)$')


def plain_state(state: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the state dict of the model without ISDA, and the names of the entries that were removed.

    ISDA keeps the weights of a wrapped loss under ``base``; they are renamed back.
    """
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    dropped = [key for key in state if STATISTICS.search(key)]
    losses = {STATISTICS.sub('', key) for key in dropped}
    kept = {}
    for key, value in state.items():
        if key not in dropped:
            loss = next((name for name in losses if key.startswith(f'{name}.base.')), None)
            kept[key if loss is None else f'{loss}.{key.removeprefix(f"{loss}.base.")}'] = value
    return kept, dropped


def export_plain(checkpoint: str | Path, out: str | Path) -> tuple[int, list[str]]:
    """Write ``{'meta', 'state_dict'}`` without ISDA statistics, optimizer and schedule, for the model without ISDA.

    Returns:
        number of tensors written, and names of the entries that were removed.

    Raises:
        FileNotFoundError, ValueError: as in ``checkpoint_to_convert``.
    """
    loaded = checkpoint_to_convert(checkpoint, out, 'whose training state')
    kept, dropped = plain_state(loaded.get('state_dict', loaded))
    with written_aside(Path(out)) as aside:
        torch.save(dict(meta=loaded.get('meta', {}), state_dict=kept), aside)
    return len(kept), dropped
