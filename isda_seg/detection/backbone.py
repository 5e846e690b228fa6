"""The backbone a detector starts from: there, and covering every weight. MMEngine would load what fits and go on."""
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from torch import Tensor

from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.weights import coverage

KEY = 'model.backbone.init_cfg.checkpoint'


def check_backbone(cfg: Config) -> dict[str, Any] | None:
    """What the backbone's initialisation loads; None where the config asks for no file.

    Returns:
        {'checkpoint': file name or address, 'sha256' of a file, 'source': what an exported file says it came from,
        'tensors': how many it covers}.

    Raises:
        FileNotFoundError: no such file.
        ValueError: truncated, no checkpoint, unreachable, or not covering every weight; the weights are listed.
    """
    backbone = dict((cfg.get('model') or {}).get('backbone') or {})
    init = backbone.pop('init_cfg', None)
    if not isinstance(init, dict) or init.get('type') != 'Pretrained':
        return None
    path = init['checkpoint']
    loaded = _load(path)
    state = loaded.get('state_dict', loaded)
    found = _as_loaded(state, init.get('prefix'))
    covers = coverage(state_of(backbone), found)
    if not covers.full:
        depth = f'-{backbone["depth"]}' if 'depth' in backbone else ''
        raise ValueError(f'{path} does not fit the backbone {backbone["type"]}{depth}: {covers}. '
                         f'{_advice(state, init.get("prefix"))}')
    record = dict(checkpoint=path if _is_address(path) else Path(path).name, tensors=covers.covered)
    if not _is_address(path):
        record['sha256'] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    source = (loaded.get('meta') or {}).get('source') if 'state_dict' in loaded else None
    return record if source is None else dict(record, source=source)


def state_of(config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Names and shapes of the weights of a module of MMDetection; nothing is allocated or loaded."""
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        return MODELS.build(dict(config)).state_dict()


def _is_address(path: str) -> bool:
    return '://' in path


def _load(path: str) -> dict[str, Any]:
    if not _is_address(path):
        return check_checkpoint(path)
    try:
        return CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')
    except Exception as error:  # no network, no torchvision for torchvision://, or one of another torch
        raise ValueError(f'the backbone {path} cannot be loaded ({type(error).__name__}: {error}): download the file '
                         f'elsewhere and set {KEY} to it') from error


def _as_loaded(state: dict[str, Any], prefix: str | None) -> dict[str, Any]:
    """The names MMEngine will look up: behind ``prefix``, or without DataParallel's ``module.``."""
    if prefix is None:
        return {re.sub(r'^module\.', '', key): value for key, value in state.items()}
    prefix = prefix.rstrip('.') + '.'
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _advice(state: dict[str, Any], prefix: str | None) -> str:
    if prefix is not None and not any(key.startswith(prefix.rstrip('.') + '.') for key in state):
        return f'No name there starts with {prefix!r}: a file of tools/export_backbone.py has none; delete the prefix'
    if prefix is None and any(key.startswith('backbone.') for key in state):
        return f'It holds a whole model: export its backbone (tools/export_backbone.py --to mmdet) for {KEY}'
    return f'Give {KEY} a file of tools/export_backbone.py --to mmdet, of this kind of network'
