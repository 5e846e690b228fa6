"""Base hook for visualisations of evenly spaced test images."""
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook


class TestPicturesHook(Hook):
    """Call ``draw(runner, sample, out)`` for test images; ``out`` is the path ``<image name>.png``.

    Args:
        out_dir: folder of the visualisations.
        most: number of images per rank, evenly spaced; None for all.
    """

    def __init__(self, out_dir: str, most: int | None = None) -> None:
        self.out_dir, self.most, self.seen = Path(out_dir), most, 0

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Draw the selected samples of the batch."""
        images = len(runner.test_dataloader.sampler)
        for sample in outputs or ():
            self.seen += 1
            if chosen(self.seen - 1, images, self.most):
                self.out_dir.mkdir(parents=True, exist_ok=True)
                self.draw(runner, sample, self.out_dir / f'{Path(sample.img_path).stem}.png')

    def draw(self, runner: Any, sample: Any, out: Path) -> None:
        """Write the visualisation of one sample."""
        raise NotImplementedError


def chosen(index: int, images: int, most: int | None) -> bool:
    """Return whether image ``index`` is one of ``most`` evenly spaced ones among ``images``."""
    return most is None or (index + 1) * most // images > index * most // images
