"""DirectionsHook: visualisations of semantic directions during training, in the Visualizer of the run."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.openmmlab.pairs import find_pairs
from isda_seg.paper.features.classifier_inputs import OpenedModel, batches
from isda_seg.paper.features.classifier_pairs import pair_of
from isda_seg.paper.features.table_map import table_pixels
from isda_seg.paper.visualisation.augmentation import strength_of
from isda_seg.paper.visualisation.class_directions import SearchOptions, check_options, labels_of_names, search
from isda_seg.paper.visualisation.directions_report import file_names, title_of
from isda_seg.paper.visualisation.neighbours_figure import draw_class
from isda_seg.runtime.isolation import undisturbed
from isda_seg.runtime.weights import network_of

DEFAULT_CLASSES = 3


@HOOKS.register_module()
class DirectionsHook(Hook):
    """Send nearest-image grids of some classes and the margin table to the visualizer backends at intervals.

    Add it to a config with ISDAHook: ``custom_hooks = [dict(type='isda_seg.paper.visualisation.hook.DirectionsHook',
    interval=10, classes=['car', 'person'])]``. The run is bitwise unchanged. With several ranks, the
    first rank uses its shard of the images.

    Args:
        interval: epochs, or iterations with ``by_epoch=False``.
        classes: class names; default the first three. Classes without samples are skipped.
        head: head of a segmentation model; default 'decode_head'.
        split: split whose images are searched, 'train', 'val' or 'test'; it is read twice.
        queries, neighbours, strength, seed: as in ``SearchOptions``.

    Raises:
        ValueError: an option is below 1; before training, the class or head is unknown, the model has no ISDA loss, or
            the strength is 0.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 10, classes: Sequence[str] = (), by_epoch: bool = True, head: str | None = None,
                 split: str = 'train', queries: int = 20, neighbours: int = 5, strength: float | None = None,
                 seed: int = 0) -> None:
        if interval < 1:
            raise ValueError(f'the interval of DirectionsHook must be at least 1, got {interval}')
        self.interval, self.by_epoch, self.head, self.split = interval, by_epoch, head, split
        self.options = SearchOptions(tuple(classes), queries, neighbours=neighbours, strength=strength, seed=seed,
                             required=False)
        check_options(self.options)

    def before_train(self, runner: Any) -> None:
        """Check model, head, classes and strength."""
        opened = self._open(runner)
        if not opened.pairs:
            raise ValueError('DirectionsHook needs a model with ISDA. Add default_hooks = '
                             "dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))")
        pair = pair_of(opened.pairs, self.head)
        names = opened.classes(pair)
        labels_of_names(self.options.classes, names)
        strength_of(pair.loss, pair.loss.covariance, self.options.strength)
        self.options = self.options._replace(classes=self.options.classes or tuple(names[:DEFAULT_CLASSES]))

    def after_train_epoch(self, runner: Any) -> None:
        """Visualise, with ``by_epoch=True``."""
        if self.by_epoch and self.every_n_epochs(runner, self.interval):
            self._show(runner, f'epoch {runner.epoch + 1}', runner.iter)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Visualise, with ``by_epoch=False``."""
        if not self.by_epoch and self.every_n_train_iters(runner, self.interval):
            self._show(runner, f'iteration {runner.iter + 1}', runner.iter + 1)

    def _open(self, runner: Any) -> OpenedModel:
        model = network_of(runner.model)
        meta = getattr(runner.train_dataloader.dataset, 'metainfo', {})
        return OpenedModel(runner.cfg, model, list(find_pairs(model)), dict(dataset_meta=meta))

    @master_only
    def _show(self, runner: Any, when: str, step: int) -> None:
        opened = self._open(runner)
        pair = pair_of(opened.pairs, self.head)
        names = opened.classes(pair)
        with undisturbed(opened.model):
            result = search(lambda: batches(opened, self.split, self.head), pair.loss, names, self.options, self.split)
        title = title_of(result, f'{Path(runner.cfg.filename or runner.experiment_name).stem}, {when}', self.split)
        files = file_names(names)
        for name in result.rows:
            pixels = draw_class(result, name, title)
            runner.visualizer.add_image(f'directions_{files[name]}', pixels, step)
        table = table_pixels(pair.loss.table().cpu().numpy(), names, f'margin table, {when}')
        runner.visualizer.add_image('isda_table', table, step)
