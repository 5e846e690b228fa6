"""Plot loss and mIoU or test error of runs: python tools/plot_curves.py WORK_DIR [WORK_DIR ...] [--out curves.png]"""
import argparse
from pathlib import Path

from isda_seg.paper.series.curves import plot_curves
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.user_errors import run_main


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='work directories of tools/train.py')
    add_out(parser, 'work_dirs/curves.png')
    args = parser.parse_args()
    paths = [Path(work_dir) for work_dir in args.work_dirs]
    out = result_file(args.out, 'work_dirs/curves.png')
    alike = len({path.name for path in paths}) < len(paths)  # the runs of a pair, such as arm/seed_0
    plot_curves({f'{path.parent.name}/{path.name}' if alike else path.name: path for path in paths}, out)
    print(f'wrote {out}')


if __name__ == '__main__':
    run_main(main)
