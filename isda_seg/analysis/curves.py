"""Loss and mIoU over the iterations of a run, from MMEngine's log."""
import json
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402


def read_scalars(work_dir: str | Path) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """(iteration, loss) and (iteration, mIoU in per cent) of every log in a work directory; a resumed run's logs join.

    Raises:
        FileNotFoundError: no log there.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'no vis_data/scalars.json below {work_dir}: is it the work directory of a run?')
    loss: dict[int, float] = {}
    miou: dict[int, float] = {}
    for log in logs:
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            if 'loss' in entry:
                loss[entry['step']] = entry['loss']
            if 'mIoU' in entry:
                miou[entry['step']] = entry['mIoU']
    return sorted(loss.items()), sorted(miou.items())


def plot_curves(work_dirs: dict[str, str | Path], out: str | Path) -> None:
    """One figure: loss on the left, mIoU on the right, a line per run.

    Args:
        work_dirs: label -> work directory.
        out: the picture, .png or .pdf.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    for label, work_dir in work_dirs.items():
        for axis, series in zip(axes, read_scalars(work_dir), strict=True):
            if series:
                axis.plot(*zip(*series, strict=True), label=label)
    for axis, title in zip(axes, ('training loss', 'mIoU on val (%)'), strict=True):
        axis.set(title=title, xlabel='iteration')
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)
