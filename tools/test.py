"""Evaluate a checkpoint: python tools/test.py CONFIG CHECKPOINT [--protocols single ms ms-flip] [--out results.json]"""
import argparse
from pathlib import Path

from mmengine.dist import is_main_process

from isda_seg.run import task_of
from isda_seg.runtime.arguments import add_checkpoint, add_config, check_writable, result_file
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.provenance import write_json
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config(parser)
    add_checkpoint(parser)
    views = parser.add_mutually_exclusive_group()
    views.add_argument('--protocols', nargs='+', default=['single'], choices=['single', 'ms', 'ms-flip'],
                       help='segmentation protocols: single, ms (scales 0.75, 1, 1.25, 1.5), ms-flip; default single')
    views.add_argument('--tta', dest='protocols', action='store_const', const=['ms-flip'],
                       help='test-time augmentation, the same as --protocols ms-flip')
    parser.add_argument('--logit-adjustment', nargs='+', type=float, default=[], metavar='TAU',
                        help='also test with tau * log prior subtracted from the logits; the class prior is read from '
                             'the statistics in the checkpoint, else computed from the training labels')
    parser.add_argument('--out', metavar='PATH', help='write the results to this JSON file, or to results.json in this '
                        'folder; default: only print them')
    parser.add_argument('--show-dir', help='save visualisations of ground truth and prediction to this folder')
    parser.add_argument('--show-most', type=int, help='maximum number of visualisations')
    parser.add_argument('--verbose', action='store_true', help='print the full log')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    out = result_file(args.out, 'results.json') if args.out else None
    if args.show_dir:
        check_writable(args.show_dir, '--show-dir')
    if not args.verbose:
        cfg.runner_type = 'ScreenRunner'
    task = task_of(cfg)
    results = task.evaluate(cfg, args.config, args.checkpoint, tuple(args.protocols), args.show_dir, args.show_most,
                            taus=tuple(args.logit_adjustment))
    if is_main_process():
        print(task.summary(results, Path(args.config).stem))
        if out:
            write_json(out, results)


if __name__ == '__main__':
    run_main(main)
