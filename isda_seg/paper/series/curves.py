"""Loss and mIoU over iterations, or test error over epochs (Fig. 5), from the log of MMEngine."""
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from isda_seg.paper.figures import save_figure

Curve = list[tuple[int, float]]
MEASURES = {'mIoU': ('mIoU on val (%)', 'iteration'), 'top1_error': ('test error (%)', 'epoch')}


def read_scalars(work_dir: str | Path) -> tuple[Curve, Curve]:
    """Read (iteration, loss) and (iteration, mIoU) or (epoch, test error), in per cent, from a work directory.

    The logs of resumed runs are joined.

    Raises:
        FileNotFoundError: the log does not exist. ValueError: the log is empty.
    """
    entries, name = read_entries(work_dir), validated_by(work_dir)
    loss, values = ({entry['step']: entry[key] for entry in entries if key in entry} for key in ('loss', name))
    return sorted(loss.items()), sorted(values.items())


def validated_by(work_dir: str | Path) -> str:
    """Return the validation measure of the runs in a work directory, a key of ``MEASURES``."""
    return 'top1_error' if any('top1_error' in entry for entry in read_entries(work_dir)) else 'mIoU'


def read_entries(work_dir: str | Path) -> list[dict[str, Any]]:
    """Read all logged entries of a work directory in order; raise as ``read_scalars``."""
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'no vis_data/scalars.json below {work_dir}. Pass the work directory of a run')
    found = [entry for log in logs for line in log.read_text().splitlines() if (entry := _entry(line)) is not None]
    if not found:
        raise ValueError(f'{logs[-1]} contains no logged step yet. Draw it after the first log interval of the run')
    return found


def _entry(line: str) -> dict[str, Any] | None:
    """Parse a line; return None for the incomplete line of a killed run."""
    try:
        return dict(json.loads(line))
    except json.JSONDecodeError:
        return None


def plot_curves(work_dirs: Mapping[str, str | Path], out: str | Path) -> None:
    """Plot the loss on the left and mIoU or test error on the right, one line per run.

    ``work_dirs`` maps the label of a run to its work directory; ``out`` is a .png or .pdf file.

    Raises:
        ValueError: the runs have different validation measures.
    """
    names = {validated_by(work_dir) for work_dir in work_dirs.values()}
    if len(names) > 1:
        raise ValueError(f'runs in one figure need the same validation measure, got {sorted(names)}')
    figure = Figure(figsize=(9, 3.4))
    axes = figure.subplots(1, 2)
    for label, work_dir in work_dirs.items():
        for axis, curve in zip(axes, read_scalars(work_dir), strict=True):
            if curve:
                axis.plot(*zip(*curve, strict=True), label=label)
    for axis, (title, steps) in zip(axes, (('training loss', 'iteration'), MEASURES[names.pop()]), strict=True):
        axis.set(title=title, xlabel=steps)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    save_figure(figure, out)
