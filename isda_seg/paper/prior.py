"""Test-time logit adjustment: measures over tau, tau selected on held-out images, average precision."""
import copy
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS

from isda_seg.core.schedule import check_strength
from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.paper.features.split_data import split_config
from isda_seg.paper.series.run_options import hold_out
from isda_seg.run import SEGMENTATION, task_name
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.segmentation.data_check import check_data
from isda_seg.segmentation.decode_head import num_classes
from isda_seg.segmentation.evaluation import evaluate

MEASURES = {'mIoU': 'mIoU', 'mAcc': 'mean accuracy', 'aAcc': 'pixel accuracy'}  # in per cent
REMEDY = ('To select tau, analyse a checkpoint trained with held-out images, as by tools/benchmarks/sweep.py; then '
          'pass its tau with --logit-adjustment')


class Plan(NamedTuple):
    """Trained model and the images of its evaluation."""
    name: str
    config: str
    checkpoint: str
    cfg: Config             # config that evaluates the split
    images: list[str]       # image paths of the split
    held_out: list[str]     # held-out training images for the selection of tau; empty if tau is given
    choice: Config | None   # config that evaluates the held-out images
    note: str               # reason why tau is not selected


def tau_grid(taus: Sequence[float]) -> list[float]:
    """Return the values in ascending order, including 0.

    Raises:
        ValueError: a negative value, or no positive value.
    """
    found = sorted({0.0, *(check_strength(tau, '--logit-adjustment') for tau in taus)})
    if len(found) == 1:
        raise ValueError('--logit-adjustment needs at least one value above 0: 0 is the model without it')
    return found


def plan(name: str, cfg: Config, config: str, checkpoint: str, split: str, share: float | None) -> Plan:
    """Check a model and select its images, without evaluation.

    The model is evaluated on the ``split``, 'test', 'val' or 'train'. A ``share`` of the training images, from the end
    as in ``hold_out`` and without those that the checkpoint was trained on, selects tau; with None, tau is not
    selected.

    Raises:
        ValueError: not a segmentation config, an unknown split or one without IoUMetric, a share outside (0, 1), or
            a checkpoint of another model.
        FileNotFoundError: missing checkpoint or data.
    """
    if task_name(cfg) != SEGMENTATION:
        raise ValueError(f'prior needs a segmentation config, and {config} is not one')
    if share is not None and not 0 < share < 1:
        raise ValueError(f'--held-out must be between 0 and 1, got {share:g}')
    meta = check_checkpoint(checkpoint, module='decode_head').get('meta', {})
    split_cfg = _evaluation_config(cfg, split_config(cfg, split), split)
    images = image_paths(cfg, split_cfg.test_dataloader.dataset)
    if share is None:
        return Plan(name, config, checkpoint, split_cfg, images, [], None, '')
    try:
        dataset = unseen_dataset(cfg, share, meta)
    except (ValueError, OSError) as error:
        return Plan(name, config, checkpoint, split_cfg, images, [], None, str(error))
    choice = _evaluation_config(cfg, dict(split_cfg.test_dataloader, dataset=dataset), 'val')
    return Plan(name, config, checkpoint, split_cfg, images, image_paths(cfg, dataset), choice, '')


def check_same_data(plans: Sequence[Plan]) -> None:
    """Raise ValueError unless all models have the same images and number of classes."""
    first = plans[0]
    for other in plans[1:]:
        if first.images != other.images or num_classes(first.cfg) != num_classes(other.cfg):
            raise ValueError(f'{first.name} and {other.name} have different test images or numbers of classes. '
                             'Analyse each model separately')


def unseen_dataset(cfg: Config, share: float, meta: dict[str, Any]) -> dict[str, Any]:
    """Return the dataset config of the last training images, without those that a checkpoint was trained on.

    The config in the checkpoint's ``meta``, or else ``cfg``, determines the images that it was trained on.

    Raises:
        ValueError: no image is left, or images of this config cannot be held out.
        FileNotFoundError: missing data.
    """
    if cfg.get('train_dataloader') is None:
        raise ValueError('the config has no train_dataloader')
    check_data(cfg, ('train',))
    train = cfg.train_dataloader.dataset
    dataset = hold_out(cfg, share).test_dataloader.dataset
    trained_dataset = copy.deepcopy(train)
    if 'cfg' in meta:
        trained_dataset = Config.fromstring(meta['cfg'], '.py').train_dataloader.dataset
    for node in dicts(trained_dataset):
        if 'data_root' in node:  # the data may have moved since
            node['data_root'] = train.get('data_root')
    trained_paths = set(image_paths(cfg, trained_dataset))
    all_paths = image_paths(cfg, {**dataset, 'indices': None})
    indices = [index for index in dataset.indices if all_paths[index] not in trained_paths]
    if not indices:
        raise ValueError(f'the checkpoint was trained on all of the last {100 * share:g} % of the training images')
    return {**dataset, 'indices': indices}


def image_paths(cfg: Config, dataset: dict[str, Any]) -> list[str]:
    """Return the image paths of a dataset, in order."""
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
        built = DATASETS.build({**dataset, 'lazy_init': False})
    return [os.path.abspath(built.get_data_info(index)['img_path']) for index in range(len(built))]


def _evaluation_config(cfg: Config, loader: dict[str, Any], split: str) -> Config:
    """Return a config copy that evaluates the images of ``loader`` with the evaluator of the split.

    The split 'train' uses the evaluator of 'val'.
    """
    cfg = copy.deepcopy(cfg)
    evaluator = cfg.test_evaluator if split == 'test' else cfg.val_evaluator
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    if any(metric.get('format_only') for metric in metrics) or 'IoUMetric' not in map(type_name, metrics):
        raise ValueError(f'the config has no IoUMetric for --split {split}. Choose another --split')
    cfg.test_dataloader, cfg.test_evaluator = loader, copy.deepcopy(evaluator)
    return cfg


def evaluate_taus(model: Plan, taus: Sequence[float]) -> dict[str, Any]:
    """Evaluate a model.

    Of the values from ``tau_grid``, a single positive one is used if tau is not selected.

    Returns:
        {"name", "config", "checkpoint", "images": number of images, "tau": selected or given, else None, "chosen_on":
        {"images", "drawn": whether some of them are also in the split, "mIoU": {tau: ...}} or None, "note", "mean_AP",
        "AP": {class: ...}, "curve": {tau: measures of tools/test.py}, "training"}.
    """
    found = evaluate(model.cfg, model.config, model.checkpoint, ('single',), taus=taus[1:], quiet=True)
    curve, chosen_on, tau = _curve(found), None, taus[1] if len(taus) == 2 else None
    if model.choice is not None:
        held = _curve(evaluate(model.choice, model.config, model.checkpoint, ('single',), taus=taus[1:], quiet=True))
        tau = max(taus, key=lambda each: held[f'{each:g}']['mIoU'])  # the smallest for ties
        chosen_on = dict(images=len(model.held_out), drawn=not set(model.images).isdisjoint(model.held_out),
                         mIoU={key: values['mIoU'] for key, values in held.items()})
    precision = {key: curve['0'].pop(key) for key in ('mean_AP', 'AP')}
    return dict(name=model.name, config=os.path.relpath(model.config), checkpoint=os.path.relpath(model.checkpoint),
                images=len(model.images), tau=tau, chosen_on=chosen_on, note=model.note, **precision, curve=curve,
                training=found['training'])


def _curve(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the measures of ``evaluate`` by tau."""
    adjusted = found['protocols']['single'].pop('logit_adjustment')
    return {'0': found['protocols']['single'], **adjusted}
