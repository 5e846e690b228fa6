"""Check of datasets, classes and labels before a run."""
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.registry import DATASETS

from isda_seg.classification.data.image_dataset import ClassificationDataset
from isda_seg.core.ops.checks import listed
from isda_seg.openmmlab.config_nodes import dicts, named_dicts, type_name
from isda_seg.runtime.config_keys import type_of


def check_data(cfg: Config, splits: tuple[str, ...] = ('train', 'val')) -> None:
    """Check that every dataset loads, all have the same classes, and the model has enough for labels and top-k."""
    first, checked = None, []
    for split in splits:
        _check_topk(cfg, f'{split}_evaluator')
        for node in dicts(cfg.get(f'{split}_dataloader')):
            ours = ClassificationDataset in getattr(type_of(node, DATASETS), '__mro__', ())
            if not ours or node in checked:
                continue
            checked.append(node)
            dataset = DATASETS.build(dict(node, pipeline=[], lazy_init=True))
            labels = {entry['gt_label'] for entry in dataset.load_data_list()}
            here = (f'{split} data ({dataset.data_root})', dataset.metainfo['classes'])
            first = first or here
            if here[1] != first[1]:
                raise ValueError(f'the {first[0]} has {len(first[1])} classes and the {here[0]} has {len(here[1])}. '
                                 f'Only in the first: {_only(first[1], here[1])}; only in the second: '
                                 f'{_only(here[1], first[1])}. Use the same class names in the same order in both')
            _check_outputs(cfg, here[0], max(labels))


def _check_topk(cfg: Config, name: str) -> None:
    classes = [node['num_classes'] for node in dicts(cfg.get('model')) if node.get('num_classes') is not None]
    for path, evaluator in named_dicts(cfg.get(name), name):
        most = max(evaluator.get('topk', (1,))) if type_name(evaluator) == 'TopKAccuracy' else 0
        if classes and most > min(classes):
            raise ValueError(f'{name} requests the top-{most} error, but the model has only {min(classes)} classes. '
                             f'Set {path}.topk=[1]')


def _only(classes: Sequence[str], others: Sequence[str]) -> str:
    return listed([name for name in classes if name not in others], 10) or 'none'


def _check_outputs(cfg: Config, where: str, highest: int) -> None:
    for node in dicts(cfg.get('model')):
        if node.get('num_classes') is not None and node['num_classes'] <= highest:
            raise ValueError(f'the {where} has labels up to {highest}, but {node.get("type")} of the model has '
                             f'num_classes={node["num_classes"]}. Set it to {highest + 1} or more')
