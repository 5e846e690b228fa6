"""Complete loading of checkpoint weights into the model of a config."""
from typing import Any

from torch import nn

from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.weights import STATISTICS, coverage, weights_in

METHOD = 'method.'  # prefix of semi-supervised methods; their buffers have a row per training image


def load_weights(model: nn.Module, checkpoint: str) -> dict[str, Any]:
    """Load a checkpoint and return its meta; missing statistics and per-image buffers remain unchanged.

    Raises:
        FileNotFoundError, ValueError: see ``check_checkpoint``; ``checkpoint`` is a URL or belongs to another model.
    """
    loaded = check_checkpoint(checkpoint)
    if not loaded:
        raise ValueError(f'{checkpoint} is a URL; download it and pass a local path')
    state = weights_in(loaded)
    expected = model.state_dict()
    per_image = {key for key, value in expected.items() if key.startswith(METHOD) and key in state
                 and state[key].shape != value.shape}
    state = {key: value for key, value in state.items() if key not in per_image}
    required = {key: value for key, value in expected.items()
                if key in state or not (key in per_image or STATISTICS.search(key))}
    match = coverage(required, state, whole=True)
    if not match.full:
        hint = '. It contains ISDA statistics, but the config has no ISDAHook. Use the config of the training.' \
            if match.unexpected and all(map(STATISTICS.search, match.unexpected)) else \
            '. Use the config of the training.'
        raise ValueError(f'{checkpoint} is not a checkpoint of the model of this config: {match}{hint}')
    model.load_state_dict(state, strict=False)
    return dict(loaded.get('meta', {}))
