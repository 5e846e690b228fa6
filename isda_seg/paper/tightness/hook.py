"""TightnessHook: cross-entropy, expectation and bound of every ISDA head during training (Fig. 9)."""
import json
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop

from isda_seg.paper.tightness.growth import head_tightness
from isda_seg.paper.tightness.head_samples import HeadSamples, attached_pairs, head_samples
from isda_seg.paper.tightness.tightness import NUM_SAMPLES, check_num_samples, summary
from isda_seg.runtime.durable import written_aside

POINTS = 'tightness.jsonl'  # in the work directory, one line per point and head
DEFAULT_POINTS = 20                  # number of points without an explicit interval


@HOOKS.register_module()
class TightnessHook(Hook):
    """Measure each head on the same training images at intervals, without changing the run.

    Every point is a line of ``tightness.jsonl`` in the work directory: ``step``, ``unit``, ``head``, ``strength``,
    ``samples`` and the values of ``summary``. A resumed run discards the points after its checkpoint. Strength and
    covariances are those of the last step; the network is in training mode. All points use the same images and Monte
    Carlo samples.

    Args:
        interval: epochs or iterations, depending on the loop, between two points; the last step is always a point.
            None: about 20 points.
        images: number of training images, rounded up to whole batches.
        pixels: pixels per image for segmentation heads.
        samples: Monte Carlo samples per image or pixel.
        seed: seed of images, augmentation, pixels and Monte Carlo samples.

    Raises:
        ValueError: an argument is too small; before training, no ISDA loss is attached or all have lambda_0 = 0.
    """

    priority = 'LOW'  # before the checkpoint

    def __init__(self, interval: int | None = None, images: int = 1000, pixels: int = 10, samples: int = NUM_SAMPLES,
                 seed: int = 0) -> None:
        for name, value in dict(interval=1 if interval is None else interval, images=images, pixels=pixels).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        check_num_samples(samples)
        self.interval, self.images, self.pixels, self.samples, self.seed = interval, images, pixels, samples, seed

    def before_train(self, runner: Any) -> None:
        """Check that an ISDA loss is attached, and discard the points after the resumed checkpoint."""
        check_attached(runner)
        self.by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        self.total = runner.max_epochs if self.by_epoch else runner.max_iters
        done = runner.epoch if self.by_epoch else runner.iter
        if is_main_process():
            _write(self._file(runner), [point for point in read_points(runner.work_dir) if point['step'] <= done])

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """Measure, in iteration-based loops."""
        if not self.by_epoch:
            self._measure(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Any) -> None:
        """Measure, in epoch-based loops."""
        if self.by_epoch:
            self._measure(runner, runner.epoch + 1)

    def samples_of(self, runner: Any) -> list[HeadSamples]:
        """Return the samples of every head with the current model."""
        return head_samples(runner.model, runner.train_dataloader, self.images, self.pixels, self.seed)

    def _measure(self, runner: Any, step: int) -> None:
        """Measure the same images on all ranks, so that collectives match; the main process writes."""
        if step % (self.interval or max(1, self.total // DEFAULT_POINTS)) and step != self.total:
            return
        common = dict(step=step, unit='epoch' if self.by_epoch else 'iteration')
        lines = [dict(**common, head=head.head, strength=head.strength, samples=self.samples,
                      **summary(head_tightness(head, head.strength, self.samples, self.seed)))
                 for head in self.samples_of(runner)]
        if is_main_process():
            with self._file(runner).open('a') as file:
                file.writelines(json.dumps(line) + '\n' for line in lines)

    def _file(self, runner: Any) -> Path:
        return Path(runner.work_dir, POINTS)


def check_attached(runner: Any) -> None:
    """Raise ValueError unless an ISDA loss of the model has lambda_0 > 0."""
    pairs = attached_pairs(runner.model)
    if not pairs:
        raise ValueError('The model has no ISDA loss. Add default_hooks = '
                         "dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=...)) to the config, or use an ISDA "
                         'config')
    if not any(pair.loss.lambda_0 for pair in pairs.values()):
        raise ValueError(f'lambda_0 = 0 in {", ".join(pairs)}, so cross-entropy, expectation and bound are equal. '
                         'Choose lambda_0 > 0')


def read_points(work_dir: str | Path) -> list[dict[str, Any]]:
    """Read the points of a run; a missing file gives none, and incomplete lines are skipped."""
    path = Path(work_dir, POINTS)
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith('\n')]


def _write(path: Path, points: list[dict[str, Any]]) -> None:
    with written_aside(path) as aside:
        aside.write_text(''.join(json.dumps(point) + '\n' for point in points))
