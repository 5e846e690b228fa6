"""Evaluation protocols of Table 7: single scale, multi-scale, multi-scale with flip."""
import copy
import math
from typing import Any

from mmengine.config import Config

from isda_seg.openmmlab.config_nodes import dicts, type_name

SCALES = (0.75, 1.0, 1.25, 1.5)
PROTOCOLS = ('single', 'ms', 'ms-flip')
SIZES = {'Resize': ('scale', 'scale_factor'), 'ResizeShortestEdge': ('scale', 'max_size'),
         'RandomResize': ('scale',), 'RandomChoiceResize': ('scales',)}  # arguments that scale with the output size
VIEWS = ('TestTimeAug', 'MultiScaleFlipAug')


def apply_protocol(cfg: Config, protocol: str) -> Config:
    """Return a copy of the config that tests with ``protocol``.

    'single' uses the config's test pipeline; 'ms' averages the class probabilities over ``SCALES`` times its test
    size, which its last resizing transform sets; 'ms-flip' also averages over horizontally flipped images. In these
    protocols label maps are loaded after the image is resized, because predictions have the size of the image file.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f'unknown protocol {protocol!r}. Choose from {PROTOCOLS}')
    cfg = copy.deepcopy(cfg)
    pipelines = [node for node in dicts(cfg.test_dataloader.dataset) if node.get('pipeline')]
    of_one_view = protocol != 'single' or 'module' not in cfg.model
    if of_one_view and any(type_name(node) in VIEWS for node in dicts(pipelines)):
        raise ValueError('the test pipeline makes several views of an image (TestTimeAug), as the protocols ms and '
                         'ms-flip do by themselves. Set test_dataloader.dataset.pipeline to the pipeline of one view')
    if protocol == 'single':
        return cfg
    for step in dicts(pipelines):
        kind, values = type_name(step), step.get('scales') or step.get('ratio_range') or step.get('scale') or ()
        if (kind == 'RandomResize' or kind == 'RandomChoiceResize' and isinstance(values, list)) \
                and len(set(map(str, values))) > 1:
            raise ValueError(f'the protocol {protocol} needs fixed sizes, but {kind} in the test pipeline chooses one '
                             'at random. Use Resize, or --protocols single')
    for node in pipelines:
        node['pipeline'] = _with_views(node['pipeline'], protocol == 'ms-flip')
    cfg.model = dict(cfg.get('tta_model') or dict(type='SegTTAModel'), module=cfg.model)
    return cfg


def _with_views(pipeline: list[Any], flip: bool) -> list[Any]:
    """Return the test pipeline with several scales, and flips, of each image."""
    kinds = [type_name(step) for step in pipeline]
    place = max((place for place, kind in enumerate(kinds) if kind in SIZES), default=None)
    if place is None:
        place = 1 + max((place for place, kind in enumerate(kinds) if kind.startswith('Load') and 'Image' in kind),
                        default=0)
        pipeline = [*pipeline[:place], dict(type='Resize', scale_factor=1.0, keep_ratio=True), *pipeline[place:]]
    # A fixed padding scales with the image: otherwise its share would differ between the views.
    end = 1 + max((later for later, step in enumerate(pipeline) if type_name(step) == 'Pad' and step.get('size')
                   and later > place), default=place)
    labels = [step for step in pipeline[:end] if 'Annotations' in type_name(step)]
    sized = [step for step in pipeline[place:end] if step not in labels]
    sizes = [[scaled(step, scale) for step in sized] for scale in SCALES]
    flips = [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in ([0., 1.] if flip else [0.])]
    views = [[steps[0] if len(steps) == 1 else dict(type='Compose', transforms=steps) for steps in sizes], flips,
             *([step] for step in [*labels, *pipeline[end:]])]
    return [*(step for step in pipeline[:place] if step not in labels), dict(type='TestTimeAug', transforms=views)]


def scaled(step: dict[str, Any], factor: float) -> dict[str, Any]:
    """Return a transform with its output sizes multiplied by ``factor``; one without sizes is returned unchanged."""
    keys = SIZES.get(type_name(step), ('size',) if type_name(step) == 'Pad' else ())
    if type_name(step) == 'Resize' and step.get('scale') is not None:
        keys = ('scale',)  # has precedence over scale_factor
    found = dict(step)
    for key in keys:
        if step.get(key) is not None:
            found[key] = _times(step[key], factor, whole=key != 'scale_factor')
            if isinstance(found[key], list) and key != 'scales' and isinstance(found[key][0], (int, float)):
                found[key] = tuple(found[key])
    return found


def _times(value: Any, factor: float, whole: bool) -> Any:
    """Multiply a number or all numbers of nested sequences."""
    if isinstance(value, (list, tuple)):
        return type(value)(_times(each, factor, whole) for each in value)
    return round(value * factor) if whole and math.isfinite(value) else value * factor
