"""Loss and mIoU over the iterations of a run, or test error over its epochs (Fig. 5), from MMEngine's log."""
import json
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

MEASURES = {'mIoU': ('mIoU on val (%)', 'iteration'), 'top1_error': ('test error (%)', 'epoch')}


def read_scalars(work_dir: str | Path) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """(iteration, loss) and (iteration, mIoU), or (epoch, test error), of every log in a work directory; in per cent.

    A resumed run's logs join.

    Raises:
        FileNotFoundError: no log there. ValueError: a log in which nothing stands yet.
    """
    entries, name = _entries(work_dir), validated_by(work_dir)
    loss, values = ({entry['step']: entry[key] for entry in entries if key in entry} for key in ('loss', name))
    return sorted(loss.items()), sorted(values.items())


def validated_by(work_dir: str | Path) -> str:
    """What the runs in a work directory were validated by: a key of ``MEASURES``."""
    return 'top1_error' if any('top1_error' in entry for entry in _entries(work_dir)) else 'mIoU'


def _entries(work_dir: str | Path) -> list[dict]:
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'no vis_data/scalars.json below {work_dir}: is it the work directory of a run?')
    found = [entry for log in logs for line in log.read_text().splitlines() if (entry := _entry(line)) is not None]
    if not found:
        raise ValueError(f'{logs[-1]} holds no step yet: draw it when the run has logged some')
    return found


def _entry(line: str) -> dict | None:
    """None for a line that a killed run wrote half."""
    try:
        entry: dict = json.loads(line)
    except json.JSONDecodeError:
        return None
    return entry


def plot_curves(work_dirs: dict[str, str | Path], out: str | Path) -> None:
    """One figure: loss on the left, mIoU or test error on the right, a line per run.

    Args:
        work_dirs: label -> work directory.
        out: the picture, .png or .pdf.

    Raises:
        ValueError: segmentation and classification together.
    """
    names = {validated_by(work_dir) for work_dir in work_dirs.values()}
    if len(names) > 1:
        raise ValueError(f'runs of one figure are validated by one measure, these by {sorted(names)}')
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    for label, work_dir in work_dirs.items():
        for axis, series in zip(axes, read_scalars(work_dir), strict=True):
            if series:
                axis.plot(*zip(*series, strict=True), label=label)
    for axis, (title, over) in zip(axes, (('training loss', 'iteration'), MEASURES[names.pop()]), strict=True):
        axis.set(title=title, xlabel=over)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)
