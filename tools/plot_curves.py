"""Plot loss and mIoU or test error of runs: python tools/plot_curves.py WORK_DIR [WORK_DIR ...] [--out curves.png]"""
import argparse
from pathlib import Path

from isda_seg.paper.series.curves import plot_curves
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.user_errors import run_main


def labels(paths: list[Path]) -> list[str]:
    """Return the last parts of the paths, as many as make them different, such as arm/seed_0."""
    full = [path.resolve() for path in paths]
    longest = max(len(path.parts) for path in full)
    names = ([str(Path(*path.parts[-number:])) for path in full] for number in range(1, longest + 1))
    return next((found for found in names if len(set(found)) == len(paths)), [str(path) for path in paths])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='work directories of tools/train.py')
    add_out(parser, 'work_dirs/curves.png')
    args = parser.parse_args()
    paths = [Path(work_dir) for work_dir in args.work_dirs]
    logs = [log for path in paths for log in path.glob('*/vis_data/*')]
    out = result_file(args.out, 'work_dirs/curves.png', logs)
    plot_curves(dict(zip(labels(paths), paths, strict=True)), out)
    print(f'wrote {out}')


if __name__ == '__main__':
    run_main(main)
