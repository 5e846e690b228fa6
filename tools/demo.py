"""Run the demo on synthetic street scenes: create them, train PSPNet + ISDA, evaluate and save visualisations.

python tools/demo.py [--work-dir work_dirs/demo] [options of train.py]; an interrupted demo resumes.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from isda_seg import compat
from isda_seg.paper.series.curves import plot_curves, read_scalars
from isda_seg.runtime.arguments import add_work_dir
from isda_seg.runtime.checkpoint import latest_checkpoint
from isda_seg.runtime.outputs import check_folder
from isda_seg.runtime.user_errors import run_main
from isda_seg.segmentation.evaluation import summary

TOOLS = Path(__file__).resolve().parent
CONFIG = TOOLS.parent / 'configs' / 'demo' / 'pspnet_r18-small-d8_isda_1xb8-400_streets-192x128.py'


def run(*command: str) -> None:
    """Run a tool and print only its progress lines; the full log is in the work directory."""
    with subprocess.Popen([sys.executable, '-W', 'ignore', *command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        tail: list[str] = []
        for line in process.stdout or ():
            tail = [*tail[-30:], line]
            if 'Iter(' in line or 'ISDA:' in line:
                print(line.rstrip()[:180], flush=True)
    if process.returncode:
        sys.exit(''.join(tail) + f'\n{" ".join(command)} failed')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_work_dir(parser, 'work_dirs/demo', 'work_dirs/demo')
    parser.add_argument('--streets', nargs=2, default=['160', '40'], metavar=('TRAIN', 'VAL'),
                        help='numbers of images to create; default 160 40')
    args, options = parser.parse_known_args()
    start, work_dir = time.time(), Path(args.work_dir)
    os.environ.setdefault('ISDA_SEG_DATA', 'data')
    check_folder('--work-dir', work_dir, [CONFIG, compat.read_config(str(CONFIG))], only_outputs=False)

    print('1/4 creating synthetic street scenes', flush=True)
    run(str(TOOLS / 'make_streets.py'), '--train', args.streets[0], '--val', args.streets[1])
    print(f'2/4 training {CONFIG.name}', flush=True)
    run(str(TOOLS / 'train.py'), str(CONFIG), '--work-dir', str(work_dir), '--resume', *options)
    print('3/4 evaluating single scale, multi-scale, multi-scale with flip', flush=True)
    run(str(TOOLS / 'test.py'), str(CONFIG), str(latest_checkpoint(str(work_dir))), '--work-dir', str(work_dir),
        '--protocols', 'single', 'ms', 'ms-flip', '--out', str(work_dir / 'results.json'),
        '--show-dir', str(work_dir / 'pictures'), '--show-most', '8')
    print('4/4 plotting the curves', flush=True)
    plot_curves({'PSPNet + ISDA': work_dir}, work_dir / 'curves.png')
    report(work_dir, time.time() - start)


def report(work_dir: Path, seconds: float) -> None:
    """Print the results and the output paths."""
    miou = read_scalars(work_dir)[1]
    print(summary(json.loads((work_dir / 'results.json').read_text()), 'PSPNet + ISDA'))
    print(f'mIoU rose from {miou[0][1]:.1f} % after {miou[0][0]} iterations to {miou[-1][1]:.1f} % after '
          f'{miou[-1][0]}; the demo took {seconds / 60:.1f} minutes.')
    print(f'See {work_dir}/pictures, {work_dir}/curves.png and {work_dir}/results.json')


if __name__ == '__main__':
    run_main(main)
