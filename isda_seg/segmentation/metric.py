"""IoU, precision and recall per class, and label maps of the predictions."""
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from PIL import Image
from torch import Tensor

from isda_seg.metrics.class_names import unique_names
from isda_seg.openmmlab.config_nodes import dicts
from isda_seg.runtime.config_keys import argument, type_of
from isda_seg.runtime.pictures import OutputNames, output_names
from isda_seg.segmentation.adjusted_logits import with_adjusted_labels

BY_CLASS = ('IoU', 'precision', 'recall')


class LabelMapMetric(IoUMetric):
    """IoUMetric that writes label maps under the names of ``names``, with 16 bits where 8 do not hold all classes.

    Args:
        adjustment: (C,) added to the logits before their argmax, ``-tau * log prior``; None uses the predictions.
    """

    output_dir: str | None

    def __init__(self, *args: Any, adjustment: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adjustment = adjustment
        self.names: Mapping[str, str] = OutputNames()  # path of an image -> path below ``output_dir``, without suffix
        self.folder, self.output_dir = self.output_dir, None  # the base class writes nothing

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the areas of every image, and write the label map if requested."""
        samples = [with_adjusted_labels(sample, self.adjustment) for sample in data_samples]
        super().process(data_batch, samples)
        for sample in samples if self.folder else ():
            labels = sample['pred_sem_seg']['data']
            write_labels(Path(str(self.folder), f'{self.names[sample["img_path"]]}.png'),
                         labels.reshape(labels.shape[-2:]), len(self.dataset_meta['classes']),
                         sample.get('reduce_zero_label', False))


@METRICS.register_module()
class ClassIoUMetric(LabelMapMetric):
    """LabelMapMetric with unrounded ``mIoU``, and with ``IoU.<class>``, ``precision.<class>`` and ``recall.<class>``.

    Values are in per cent. A metric is NaN if the class does not occur: for precision in the predictions, for recall in
    the labels.
    """

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compute the metrics from the areas (C,) of each image: intersection, union, predicted, labelled."""
        if self.format_only:  # no labels: the predictions were only written
            return OrderedDict()
        metrics = super().compute_metrics(results)
        areas = [sum(image[k] for image in results) for k in range(4)]
        right, _, predicted, labelled = areas
        iou = self.total_area_to_metrics(*areas, ['mIoU'])['IoU']
        found = dict(zip(BY_CLASS, (iou, right / predicted, right / labelled), strict=True))
        names = unique_names(self.dataset_meta['classes'])
        per_class = {f'{kind}.{name}': 100 * float(value) for kind, values in found.items()
                     for name, value in zip(names, values, strict=True)}
        return OrderedDict(metrics, mIoU=100 * float(np.nanmean(iou)), **per_class)


def write_labels(path: Path, labels: Tensor, classes: int, from_one: bool) -> None:
    """Write class indices (H, W) as a PNG file, with 16 bits if 8 do not hold ``classes`` and all indices.

    With ``from_one``, class c is written as c + 1, for data with ``reduce_zero_label``.
    """
    values = labels.cpu().numpy().astype(np.int64) + from_one
    largest = max(classes - 1 + from_one, int(values.max()))
    if largest >= 2 ** 16:
        raise ValueError(f'a PNG file holds 16-bit labels, which are too few for {classes} classes. Remove output_dir')
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8 if largest < 2 ** 8 else np.uint16)).save(path)


@HOOKS.register_module()
class OutputNamesHook(Hook):
    """Give every ``LabelMapMetric`` the names of the files that it writes."""

    def _before_epoch(self, runner: Any, mode: str = 'train') -> None:
        loop = getattr(runner, f'{mode}_loop')
        metrics = [metric for metric in loop.evaluator.metrics if isinstance(metric, LabelMapMetric) and metric.folder
                   ] if mode != 'train' else []
        names = output_names(loop.dataloader.dataset, runner.cfg.get(f'{mode}_dataloader')) if metrics else {}
        for metric in metrics:
            metric.names = names


def name_outputs(metric: dict[str, Any]) -> bool:
    """Let a metric with the ``process`` of IoUMetric be a LabelMapMetric, in place; return whether it is one."""
    kind = type_of(metric, METRICS)
    process = getattr(kind, 'process', None)
    if process is IoUMetric.process:
        made = ClassIoUMetric if kind is IoUMetric else type(f'LabelMap{kind.__name__}', (LabelMapMetric, kind), {})
        METRICS.register_module(force=True, module=made)
        metric['type'] = made.__name__
    return process in (IoUMetric.process, LabelMapMetric.process)


def write_distinct(cfg: Config) -> None:
    """Let an ``IoUMetric`` with ``output_dir`` write the predicted label map of each image under a separate name."""
    if [node for node in dicts(cfg.get('val_evaluator'))
            if argument(node, 'output_dir', METRICS) and name_outputs(node)]:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type=OutputNamesHook.__name__)]
