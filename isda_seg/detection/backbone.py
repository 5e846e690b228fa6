"""Check and record of a detector's pretrained backbone; MMEngine would silently load only the matching weights."""
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, DefaultScope
from mmengine.runner import CheckpointLoader
from torch import Tensor

from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.weights import coverage

KEY = 'model.backbone.init_cfg.checkpoint'
BACKBONE = 'backbone'  # key in a checkpoint's meta


def check_backbone(cfg: Config) -> dict[str, Any] | None:
    """Check the checkpoint that initialises the backbone; return its description, or None without a checkpoint.

    The description has 'checkpoint' (file name or URL), 'sha256' of a local file, 'source' of an exported file, and
    'tensors', the number of tensors of the backbone that the file initialises.
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
    record = dict(checkpoint=path if _is_url(path) else Path(path).name, tensors=covers.covered)
    if not _is_url(path):
        record['sha256'] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    source = (loaded.get('meta') or {}).get('source') if 'state_dict' in loaded else None
    return record if source is None else dict(record, source=source)


def state_of(config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict of a module of MMDetection on the meta device, without allocating or loading weights."""
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        return MODELS.build(dict(config)).state_dict()


def _is_url(path: str) -> bool:
    return '://' in path


def _load(path: str) -> dict[str, Any]:
    if not _is_url(path):
        return check_checkpoint(path)
    try:
        return CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')
    except Exception as error:  # no network, or torchvision:// without a working torchvision
        raise ValueError(f'cannot load the backbone {path} ({type(error).__name__}: {error}). Download the file '
                         f'on another machine and set {KEY} to its path') from error


def _as_loaded(state: dict[str, Any], prefix: str | None) -> dict[str, Any]:
    """Rename the weights as MMEngine does: strip ``prefix``, or DataParallel's ``module.``."""
    if prefix is None:
        return {re.sub(r'^module\.', '', key): value for key, value in state.items()}
    prefix = prefix.rstrip('.') + '.'
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _advice(state: dict[str, Any], prefix: str | None) -> str:
    if prefix is not None and not any(key.startswith(prefix.rstrip('.') + '.') for key in state):
        return f'No name in the file starts with {prefix!r}. Remove the prefix: tools/export_backbone.py adds none'
    if prefix is None and any(key.startswith('backbone.') for key in state):
        return f'The file holds a whole model. Export its backbone (tools/export_backbone.py --to mmdet) for {KEY}'
    return f'Set {KEY} to a file of tools/export_backbone.py --to mmdet with this architecture'


@HOOKS.register_module()
class BackboneRecordHook(Hook):
    """Write ``meta['backbone']``, the result of ``check_backbone``, into every checkpoint."""

    def __init__(self, backbone: dict[str, Any] | None) -> None:
        self.backbone = backbone

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """At resume, keep the backbone of the checkpoint."""
        if runner._resume:
            self.backbone = checkpoint['meta'].get(BACKBONE)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the backbone to the checkpoint."""
        checkpoint['meta'][BACKBONE] = self.backbone
