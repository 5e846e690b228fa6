"""The paper's analyses of your own config: python tools/analyse.py tightness CONFIG [...]; NAME -h tells of each."""
import argparse
import os
from pathlib import Path

from mmengine.dist import is_main_process

from isda_seg.runtime.launch import add_options, check_writable, load_config
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    analyses = parser.add_subparsers(dest='analysis', required=True)
    add_tightness(analyses)
    return parser.parse_args()


def add_tightness(analyses: argparse._SubParsersAction) -> None:
    text = ('Train a config and measure cross-entropy, its expectation under augmentation and the bound on fixed '
            'training images while it trains (Fig. 9); at the end, over strengths and numbers of classes.')
    parser = analyses.add_parser('tightness', help='how far the ISDA loss is above what it bounds', description=text)
    parser.add_argument('config')
    parser.add_argument('--seeds', nargs='+', type=int, help="one training each; default the config's, or 0")
    parser.add_argument('--interval', type=int, help='epochs, or iterations, between points; default about 20 points')
    parser.add_argument('--samples', type=int, default=1000, help='training images; default %(default)s')
    parser.add_argument('--pixels', type=int, default=10, help='of each image in segmentation; default %(default)s')
    parser.add_argument('--draws', type=int, default=1000, help='per sample or pixel; default %(default)s')
    parser.add_argument('--strengths', nargs='+', type=float, metavar='L',
                        help='of the trained model; default from an eighth of lambda_0 to four times')
    parser.add_argument('--resume', action='store_true', help='go on from the checkpoints in the work directory')
    parser.add_argument('--out', help='result file; default <work-dir>/tightness.json, with the figure beside it')
    add_options(parser)
    parser.set_defaults(run=tightness)


def tightness(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    out = Path(args.out or Path(cfg.work_dir, 'tightness.json'))
    check_writable(str(out.parent), '--out')
    from isda_seg.analysis.tightness_figure import draw_tightness
    from isda_seg.analysis.tightness_series import final_means, final_table, train_and_measure
    seeds = args.seeds or [(cfg.get('randomness') or {}).get('seed') or 0]
    keys = dict(interval=args.interval, samples=args.samples, pixels=args.pixels, draws=args.draws)
    runs = train_and_measure(cfg, seeds, keys, args.strengths, args.resume)
    result = dict(kind='tightness', config=os.path.relpath(args.config), options=args.cfg_options or {}, seeds=seeds,
                  **keys, final=final_means(runs), runs=runs, **provenance(seeds[0]))
    if is_main_process():
        write_json(out, result)
        draw_tightness(result, out.with_suffix('.png'))
        print(final_table(result['final']))
        print(f'wrote {out} and {out.with_suffix(".png")}')


def main() -> None:
    args = parse_args()
    args.run(args)


if __name__ == '__main__':
    run_main(main, 'stopped; with --resume the same command goes on')
