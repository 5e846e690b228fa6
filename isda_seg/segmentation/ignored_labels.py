"""Check that head, metric, padding and augmentation ignore the same label."""
import logging
from collections.abc import Iterator

from mmengine.config import Config
from mmengine.logging import print_log
from mmseg.registry import METRICS

from isda_seg.openmmlab.config_nodes import named_dicts, type_name
from isda_seg.runtime.config_keys import argument
from isda_seg.segmentation.decode_head import IGNORED, attribute, decode_head, ignored, num_classes

FILLS = {'RandomRotate': ('seg_pad_val', IGNORED), 'RandomMosaic': ('seg_pad_val', IGNORED),
         'RandomCutOut': ('seg_fill_in', None), 'SegDataPreProcessor': ('seg_pad_val', IGNORED)}  # key and default


def check_ignored(cfg: Config, split: str) -> None:
    """Check that heads, data and metrics of a split use the ignore index of the decode head.

    For 'train' these are the heads and the training data, for 'val' and 'test' the evaluator.
    """
    classes, label = num_classes(cfg), ignored(cfg)
    if not classes:
        return
    if classes > label == IGNORED and 'ignore_index' not in decode_head(cfg):
        raise ValueError(f'the decode head has {classes} classes and ignores label {IGNORED}, the default, which is '
                         'one of them. Set model.decode_head.ignore_index to another value, such as '
                         f'{2 ** 16 - 1}, and the same value wherever labels are filled or ignored')
    if split == 'train':
        _check_heads(cfg, classes, label)
        for key, fill, given, value in _fills(cfg, label):
            _check_fill(key, fill, given, value, classes, label)
        for name, node in named_dicts(cfg.get('train_dataloader'), 'train_dataloader'):
            if type_name(node) == 'RandomRotFlip' and node.get('rotate_prob') != 0:
                print_log(f'{name}: RandomRotFlip interpolates between the labels of neighbours, which gives other '
                          f'classes, and fills new pixels with label 0. Set {name}.rotate_prob to 0 and rotate '
                          f'with RandomRotate and seg_pad_val={label}', 'current', logging.WARNING)
        return
    for name, metric in named_dicts(cfg.get(f'{split}_evaluator'), f'{split}_evaluator'):
        own = argument(metric, 'ignore_index', METRICS, label)
        if own != label and not metric.get('format_only'):
            raise ValueError(f'{type_name(metric)} in {name} ignores label {own}, but the decode head ignores label '
                             f'{label}: the metric would count the pixels that training ignores. Set '
                             f'{name}.ignore_index={label}')


def _check_heads(cfg: Config, classes: int, label: int) -> None:
    heads = {part: cfg.model.get(part) for part in ('decode_head', 'auxiliary_head')}
    for name, head in named_dicts(heads, 'model'):
        if name.count('.') > 2 or head.get('num_classes') != classes:  # a part of a head, or one of other classes
            continue
        if (own := attribute(head, 'ignore_index', IGNORED)) != label:
            raise ValueError(f'{name} ignores label {own}, but the decode head ignores label {label}. Set '
                             f'{name}.ignore_index={label}')


def _fills(cfg: Config, label: int) -> Iterator[tuple[str, int, bool, str]]:
    """Yield the key, the label and whether it is given of all that fills training label maps, and the right value."""
    for part in ('model', 'train_dataloader'):
        for name, node in named_dicts(cfg.get(part), part):
            key, default = FILLS.get(type_name(node), ('', None))
            given, value = key in node, str(label)
            fill = node.get(key, default)
            if type_name(node) == 'CenterCrop' and node.get('auto_pad') and 'pad_cfg' not in node:
                key, fill, value = 'pad_cfg.pad_val.seg', IGNORED, f'{label} {name}.pad_cfg.type=Pad'
            elif type_name(node) == 'Pad':
                pad = node.get('pad_val', {})
                by_kind = pad if isinstance(pad, dict) else {}
                key, given, fill = 'pad_val.seg', 'seg' in by_kind, by_kind.get('seg', IGNORED)
                if by_kind is not pad:  # a number fills the image only
                    key, value = 'pad_val', f'dict(img={pad}, seg={label}) in the config file'
            if fill is not None and node.get('prob') != 0:
                yield f'{name}.{key}', int(fill), given, value


def _check_fill(key: str, fill: int, given: bool, value: str, classes: int, label: int) -> None:
    if key.endswith('seg_fill_in') and fill > IGNORED:
        raise ValueError(f'{key} is {fill}, but RandomCutOut only fills in labels 0..{IGNORED}. Set {key}=None to keep '
                         'the labels')
    if fill == label:
        return
    text = f'new pixels get label {fill} by {key}{"" if given else " (its default)"}'
    if not 0 <= fill < classes:
        raise ValueError(f'{text}, which is neither one of the {classes} classes nor label {label}, which the decode '
                         f'head ignores. Set {key}={value}')
    if not given:
        raise ValueError(f'{text}, which is one of the {classes} classes. Set {key}={value}')
    print_log(f'{text} and are trained as this class: the decode head ignores label {label}. To ignore them, set '
              f'{key}={value}', 'current', logging.WARNING)
