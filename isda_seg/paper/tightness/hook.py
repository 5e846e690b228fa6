"""TightnessHook: cross-entropy, expectation and bound of every served head while a run trains (Fig. 9)."""
import json
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop

from isda_seg.paper.tightness.growth import measured
from isda_seg.paper.tightness.head_samples import HeadSamples, head_samples, served
from isda_seg.paper.tightness.tightness import DRAWS, check_draws, summary
from isda_seg.runtime.durable import written_aside

POINTS = 'tightness.jsonl'  # in the work directory: a line per point and head
ABOUT = 20                  # points, unless an interval is given


@HOOKS.register_module()
class TightnessHook(Hook):
    """Measure each head on the same training images at intervals, and leave the run as it is without the hook.

    Every point is a line of ``tightness.jsonl`` in the work directory: ``step`` done and its ``unit``, ``head``,
    ``strength``, ``draws``, and what ``summary`` says. A resumed run drops the points after its checkpoint and measures
    them again. Strength and covariances are those of the last step, the network is in training mode, images and draws
    are the same at every point.

    Args:
        interval: epochs, or iterations in loops that count those, between two points; the last step is one too. None:
            about 20 points.
        samples: training images, in whole batches.
        pixels: of each image, where the head makes a map.
        draws: of each sample.
        seed: of images, augmentation, pixels and draws.

    Raises:
        ValueError: numbers that are too small; before training, no attached ISDA loss, or lambda_0 = 0 in all of them.
    """

    priority = 'LOW'  # before the checkpoint

    def __init__(self, interval: int | None = None, samples: int = 1000, pixels: int = 10, draws: int = DRAWS,
                 seed: int = 0) -> None:
        for name, value in dict(interval=1 if interval is None else interval, samples=samples, pixels=pixels).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        check_draws(draws)
        self.interval, self.samples, self.pixels, self.draws, self.seed = interval, samples, pixels, draws, seed

    def before_train(self, runner: Any) -> None:
        """Is there a bound to look at? Keep the points up to the checkpoint that the run resumes from."""
        check_served(runner)
        self.by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        self.total = runner.max_epochs if self.by_epoch else runner.max_iters
        done = runner.epoch if self.by_epoch else runner.iter
        if is_main_process():
            _write(self._file(runner), [point for point in read_points(runner.work_dir) if point['step'] <= done])

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """A point, in a loop that counts iterations."""
        if not self.by_epoch:
            self._measure(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Any) -> None:
        """A point, in a loop that counts epochs."""
        if self.by_epoch:
            self._measure(runner, runner.epoch + 1)

    def samples_of(self, runner: Any) -> list[HeadSamples]:
        """Those of every head, with the model as it is now."""
        return head_samples(runner.model, runner.train_dataloader, self.samples, self.pixels, self.seed)

    def _measure(self, runner: Any, step: int) -> None:
        """All ranks look at the same images, so that what they wait for in each other comes; one writes."""
        if step % (self.interval or max(1, self.total // ABOUT)) and step != self.total:
            return
        of = dict(step=step, unit='epoch' if self.by_epoch else 'iteration')
        lines = [dict(**of, head=samples.head, strength=samples.strength, draws=self.draws,
                      **summary(measured(samples, samples.strength, self.draws, self.seed)))
                 for samples in self.samples_of(runner)]
        if is_main_process():
            with self._file(runner).open('a') as file:
                file.writelines(json.dumps(line) + '\n' for line in lines)

    def _file(self, runner: Any) -> Path:
        return Path(runner.work_dir, POINTS)


def check_served(runner: Any) -> None:
    """ValueError unless a loss of the model grows beyond strength 0."""
    pairs = served(runner.model)
    if not pairs:
        raise ValueError('there is no bound to look at: no loss of the model is served by ISDA. Add default_hooks = '
                         "dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=...)) to the config, or take an ISDA "
                         'config')
    if not any(pair.loss.lambda_0 for pair in pairs.values()):
        raise ValueError(f'lambda_0 = 0 in {", ".join(pairs)}: nothing is augmented, so cross-entropy, expectation and '
                         'bound are one; choose lambda_0 > 0')


def read_points(work_dir: str | Path) -> list[dict[str, Any]]:
    """The points of a run, none where it has no file of them; a line that a killed run wrote half is left out."""
    path = Path(work_dir, POINTS)
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith('\n')]


def _write(path: Path, points: list[dict[str, Any]]) -> None:
    with written_aside(path) as aside:
        aside.write_text(''.join(json.dumps(one) + '\n' for one in points))
