"""Weights of checkpoints and runners: comparison, as loading leaves missing ones random, and export without ISDA."""
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from isda_seg.core import ClassStatistics
from isda_seg.core.ops.checks import listed
from isda_seg.runtime.checkpoint import checkpoint_to_convert
from isda_seg.runtime.durable import written_aside

TRACKED = '.num_batches_tracked'  # absent from old checkpoints, and used by no forward pass
BUFFERS = '|'.join([*ClassStatistics(2, 1).state_dict(), 'capacity'])  # that of an accelerator's gathering
STATISTICS = re.compile(rf'(?:^|\.)(?:statistics\.(?:{BUFFERS})|ramp\.calls)$')


def network_of(model: Any) -> nn.Module:
    """Return the network inside a wrapper of MMEngine, such as that of DistributedDataParallel."""
    network: nn.Module = model.module if is_model_wrapper(model) else model
    return network


def weights_in(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state dict of a checkpoint, or of a file that is one, without DataParallel's prefix ``module.``."""
    state = checkpoint.get('state_dict', checkpoint)
    return {key.removeprefix('module.'): value for key, value in state.items()}


class Coverage(NamedTuple):
    """Result of comparing a state dict with a network."""
    covered: int              # tensors of the network that are present with the right shape
    total: int
    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]       # with both shapes

    @property
    def full(self) -> bool:
        """Whether every tensor is present with the right shape, and none is unexpected."""
        return not (self.missing or self.unexpected or self.reshaped)

    def __str__(self) -> str:
        """Return the number of covered tensors and the first names of each problem."""
        parts = (('missing', self.missing), ('unexpected', self.unexpected), ('wrong shape', self.reshaped))
        lists = '; '.join(f'{what}: {listed(names, 5)}' for what, names in parts if names)
        return f'{self.covered} of {self.total} tensors covered' + (f'; {lists}' if lists else '')


def coverage(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], whole: bool = False) -> Coverage:
    """Compare the state dict of a network with one that will be loaded.

    Entries of modules that the network does not have, such as the last layer of a classification network, are ignored
    unless ``whole`` is set.
    """
    parts = {key.split('.')[0] for key in (found if whole else wanted)}
    missing = [key for key in wanted if key not in found and not key.endswith(TRACKED)]
    unexpected = [key for key in found if key not in wanted and key.split('.')[0] in parts]
    reshaped = [f'{key} {tuple(found[key].shape)} instead of {tuple(wanted[key].shape)}' for key in wanted
                if key in found and found[key].shape != wanted[key].shape]
    total = sum(not key.endswith(TRACKED) for key in wanted)
    bad = sum(not name.split(' ')[0].endswith(TRACKED) for name in reshaped)
    return Coverage(total - len(missing) - bad, total, missing, unexpected, reshaped)


def plain_state(state: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the state dict of the model without ISDA, and the names of the entries that were removed.

    ISDA keeps the weights of a wrapped loss under ``base``; they are renamed back.
    """
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

    Return the number of tensors written, and the names of the entries that were removed.
    """
    loaded = checkpoint_to_convert(checkpoint, out)
    kept, dropped = plain_state(weights_in(loaded))
    with written_aside(Path(out)) as aside:
        torch.save(dict(meta=loaded.get('meta', {}), state_dict=kept), aside)
    return len(kept), dropped
