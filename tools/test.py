"""Evaluate a checkpoint: python tools/test.py CONFIG CHECKPOINT [--protocols single ms ms-flip] [--out results.json]"""
import argparse
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from isda_seg.run import task_of
from isda_seg.runtime.arguments import add_checkpoint, add_config, check_writable, result_file
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.outputs import check_folder
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
    parser.add_argument('--logit-adjustment', nargs='+', type=float, metavar='TAU',
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
    inputs = [args.config, args.checkpoint, cfg]
    if args.show_dir:
        check_folder('--show-dir', args.show_dir, inputs)
    out = result_file(args.out, 'results.json', inputs) if args.out else None
    if args.show_dir:
        check_writable(args.show_dir, '--show-dir')
    task = task_of(cfg)
    finished: list[dict[str, Any]] = []

    def keep(results: dict[str, Any]) -> None:
        """Write the results of the finished protocols, which an error in a later one must not lose."""
        finished[:] = [results]
        if out and is_main_process():
            write_json(out, results)

    try:
        options = task.arguments(args.protocols, keep, show_dir=args.show_dir, show_most=args.show_most,
                                 taus=args.logit_adjustment)
        keep(task.evaluate(cfg, args.config, args.checkpoint, quiet=not args.verbose, **options))
    finally:
        if finished and is_main_process():
            print(task.summary(finished[0], Path(args.config).stem))


if __name__ == '__main__':
    run_main(main)
