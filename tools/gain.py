"""Compare ISDA with cross-entropy on scikit-learn's digits, with paired seeds; about a minute on a laptop.

    python tools/gain.py                   pairs of runs; prints a table, saves a figure in work_dirs/gain
    python tools/gain.py --sweep           select LAMBDA_0 on held-out images with other seeds
    python tools/gain.py --segmentation    mIoU of DeepLabV3+ on synthetic street scenes; a quarter of an hour

Both runs of a pair share images, initial weights and batches; they differ only in ISDA. The network fits its ten
training images per digit completely, so that a regulariser can help. Network and schedule were selected among about a
dozen on the half of the data that --sweep uses. The comparison uses the other half and other seeds.

With --segmentation every pair has its own 16 training scenes. Both arms have the settings selected for them on other
scenes and seeds, see DeepLabV3+ on 16 synthetic street scenes in configs/results/README.md.
"""
import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from isda_seg.paper.digits_training import MEASURES, run_all
from isda_seg.paper.series.gain_report import compare_strengths, draw, report
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

LAMBDA_0, PAIRS = 2, 30
SWEPT = (0, 0.5, 1, 2, 3)
SWEEP_SEEDS = range(1000, 1020)
TOOLS = Path(__file__).resolve().parent
SCENE_PAIRS, SCENE_CONFIG = 4, 'configs/demo/deeplabv3plus_r18-small-d8_{}streets-sample16-128x64.py'
SCENE_ARMS = {
    '': ['test.logit_adjustment=0.5'],
    'isda_': ['default_hooks.isda.lambda_0=1', 'default_hooks.isda.covariance=full',
              'default_hooks.isda.logit_adjustment=0.5', 'test.logit_adjustment=0.3']}


def compare_on_scenes(seeds: Sequence[int], out: Path) -> int:
    """Compare mIoU on synthetic street scenes with tools/benchmarks/paired.py; return its exit status."""
    arms = [shlex.join([str(TOOLS.parent / SCENE_CONFIG.format(isda)), *options])
            for isda, options in SCENE_ARMS.items()]
    subprocess.run([sys.executable, TOOLS / 'make_streets.py'], check=True)
    return subprocess.run([
        sys.executable, TOOLS / 'benchmarks' / 'paired.py', *arms, '--seeds', *map(str, seeds), '--protocols', 'single',
        '--jobs', str(os.cpu_count() or 1), '--work-dir', 'work_dirs/gain/segmentation', '--out', out]).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--segmentation', action='store_true',
                        help='use synthetic street scenes; needs the extras gain and seg')
    parser.add_argument('--sweep', action='store_true', help='compare several lambda_0 on held-out images')
    parser.add_argument('--pairs', type=int,
                        help=f'number of pairs; default {PAIRS}, with --segmentation {SCENE_PAIRS}')
    parser.add_argument('--first-seed', type=int, default=0, help='seed of the first pair; default %(default)s')
    add_out(parser, 'work_dirs/gain/pairs.json; with --sweep sweep.json, with --segmentation segmentation.json')
    args = parser.parse_args()
    if args.segmentation and args.sweep:
        parser.error('--sweep selects settings for the digits only. Use tools/benchmarks/sweep.py for segmentation')
    name = 'segmentation' if args.segmentation else 'sweep' if args.sweep else 'pairs'
    out = result_file(args.out, f'work_dirs/gain/{name}.json', figures=['.png'])
    seeds = range(args.first_seed, args.first_seed + (args.pairs or (SCENE_PAIRS if args.segmentation else PAIRS)))
    if args.segmentation:
        sys.exit(compare_on_scenes(seeds, out))
    arms = run_all(SWEPT if args.sweep else (0, LAMBDA_0), SWEEP_SEEDS if args.sweep else seeds, held_out=args.sweep)
    found = compare_strengths(arms, MEASURES)
    print(report(found, MEASURES))
    write_json(out, dict(provenance(), kind=f'gain {name}', lambda_0=LAMBDA_0,
                         seeds=list(SWEEP_SEEDS if args.sweep else seeds), arms=arms, comparison=found))
    draw(found, MEASURES, out.with_suffix('.png'))
    print(f'wrote {out} and {out.with_suffix(".png")}')


if __name__ == '__main__':
    run_main(main)
