"""Evaluation protocols of Table 7: single scale, multi-scale, multi-scale with flip."""
import copy
from typing import Any

from mmengine.config import Config

from isda_seg.runtime.config_keys import type_name

SCALES = (0.75, 1.0, 1.25, 1.5)
PROTOCOLS = ('single', 'ms', 'ms-flip')


def apply_protocol(cfg: Config, protocol: str) -> Config:
    """Return a copy of the config that tests with ``protocol``.

    'single' uses the config's test pipeline; 'ms' averages the class probabilities over ``SCALES`` times its test
    size; 'ms-flip' also averages over horizontally flipped images.

    Raises:
        ValueError: an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f'unknown protocol {protocol!r}. Choose from {PROTOCOLS}')
    cfg = copy.deepcopy(cfg)
    if protocol == 'single':
        return cfg
    pipeline = cfg.test_dataloader.dataset.pipeline
    kinds = [type_name(transform) for transform in pipeline]
    place = kinds.index('Resize') if 'Resize' in kinds else 1
    resize = pipeline[place] if 'Resize' in kinds else dict(type='Resize', scale_factor=1.0, keep_ratio=True)
    rest = pipeline[place + 1:] if 'Resize' in kinds else pipeline[place:]
    flips = [dict(type='RandomFlip', prob=0., direction='horizontal')]
    if protocol == 'ms-flip':
        flips.append(dict(type='RandomFlip', prob=1., direction='horizontal'))
    views = dict(type='TestTimeAug', transforms=[[scaled(resize, s) for s in SCALES], flips, *([t] for t in rest)])
    cfg.test_dataloader.dataset.pipeline = [*pipeline[:place], views]
    cfg.model = dict(cfg.get('tta_model') or dict(type='SegTTAModel'), module=cfg.model)
    return cfg


def scaled(resize: dict[str, Any], factor: float) -> dict[str, Any]:
    """Scale a Resize transform by ``factor``."""
    if resize.get('scale') is not None:
        return dict(resize, scale=tuple(round(side * factor) for side in resize['scale']))
    before = resize['scale_factor']
    return dict(resize, scale_factor=tuple(f * factor for f in before) if isinstance(before, (list, tuple))
                else before * factor)
