"""In training: what features of some classes arrive at when they are moved, as pictures in the run's Visualizer."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from isda_seg.openmmlab.pairs import find_pairs
from isda_seg.paper.features.classifier_inputs import Opened, steps
from isda_seg.paper.features.classifier_pairs import pair_of
from isda_seg.paper.pictures.augmentation import strength_of
from isda_seg.paper.pictures.class_directions import Wanted, check_wanted, labels_of, look
from isda_seg.paper.pictures.directions_report import file_name, title_of
from isda_seg.paper.pictures.neighbours_figure import draw_class
from isda_seg.paper.pictures.pixels import table_pixels
from isda_seg.runtime.isolation import undisturbed

FEW = 3  # classes that are shown where none is named


@HOOKS.register_module()
class DirectionsHook(Hook):
    """Every so often, a grid of neighbours of some classes and the table as a heat map, to all visualizer backends.

    In a config, beside ISDAHook: ``custom_hooks = [dict(type='isda_seg.paper.pictures.hook.DirectionsHook',
    interval=10, classes=['car', 'person'])]``. The run stays, bit for bit, what it is without. Of several ranks the
    first one looks, at its share of the images.

    Args:
        interval: epochs, or iterations with ``by_epoch=False``.
        classes: names; default the first three. One without a sample is left out.
        head: of a segmenter; default 'decode_head'.
        split: 'train', 'val' or 'test', whose images are the neighbours. They are passed through the model twice.
        queries, neighbours, strength, seed: as in ``Wanted``.

    Raises:
        ValueError: a number below 1; before training, an unknown class or head, a model without ISDA, a strength of 0.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 10, classes: Sequence[str] = (), by_epoch: bool = True, head: str | None = None,
                 split: str = 'train', queries: int = 20, neighbours: int = 5, strength: float | None = None,
                 seed: int = 0) -> None:
        if interval < 1:
            raise ValueError(f'the interval of DirectionsHook must be at least 1, got {interval}')
        self.interval, self.by_epoch, self.head, self.split = interval, by_epoch, head, split
        self.wanted = Wanted(tuple(classes), queries, neighbours=neighbours, strength=strength, seed=seed,
                             required=False)
        check_wanted(self.wanted)

    def before_train(self, runner: Any) -> None:
        """Refuse what cannot be shown."""
        opened = self._open(runner)
        if not opened.pairs:
            raise ValueError('DirectionsHook shows the augmentation of ISDA, and this model has none: add '
                             "default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))")
        pair = pair_of(opened.pairs, self.head)
        names = opened.classes(pair)
        labels_of(self.wanted.classes, names)
        strength_of(pair.loss, pair.loss.covariance, self.wanted.strength)
        self.wanted = self.wanted._replace(classes=self.wanted.classes or tuple(names[:FEW]))

    def after_train_epoch(self, runner: Any) -> None:
        """Look, where epochs are counted."""
        if self.by_epoch and self.every_n_epochs(runner, self.interval):
            self._show(runner, f'epoch {runner.epoch + 1}', runner.iter)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Look, where iterations are counted."""
        if not self.by_epoch and self.every_n_train_iters(runner, self.interval):
            self._show(runner, f'iteration {runner.iter + 1}', runner.iter + 1)

    def _open(self, runner: Any) -> Opened:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        meta = getattr(runner.train_dataloader.dataset, 'metainfo', {})
        return Opened(runner.cfg, model, list(find_pairs(model)), dict(dataset_meta=meta))

    @master_only
    def _show(self, runner: Any, when: str, step: int) -> None:
        opened = self._open(runner)
        pair = pair_of(opened.pairs, self.head)
        names = opened.classes(pair)
        with undisturbed(opened.model):
            looked = look(lambda: steps(opened, self.split, self.head), pair.loss, names, self.wanted, self.split)
        title = title_of(looked, f'{Path(runner.cfg.filename or runner.experiment_name).stem}, {when}', self.split)
        for name in looked.rows:
            picture = draw_class(looked, name, title)
            runner.visualizer.add_image(f'directions_{file_name(name)}', picture, step)
        table = table_pixels(pair.loss.table().cpu().numpy(), names, f'the table, {when}')
        runner.visualizer.add_image('isda_table', table, step)
