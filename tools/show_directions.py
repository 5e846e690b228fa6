"""See what ISDA changes: features of a class are moved along its covariance, and the nearest training images shown.

    python tools/show_directions.py CONFIG CHECKPOINT [--classes car person]

A PNG per class and directions.json. In each row the feature of a query is moved in another way: not at all, by draws of
the augmentation N(0, lambda Sigma_y), by two standard deviations along leading directions of Sigma_y, and, for
comparison, in random directions of equal length.
"""
import argparse
from pathlib import Path

from isda_seg.runtime.arguments import add_checkpoint, add_config, add_out, add_seed, result_file
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config(parser)
    add_checkpoint(parser)
    parser.add_argument('--classes', '--class', nargs='+', default=[], metavar='NAME', help='default: all')
    parser.add_argument('--head', help='of a segmenter; default decode_head')
    parser.add_argument('--split', default='train', choices=['train', 'val', 'test'], help='default %(default)s')
    parser.add_argument('--queries', type=int, default=20, help='features of each class; default %(default)s')
    parser.add_argument('--shown', type=int, default=2, help='how many of them have pictures; default %(default)s')
    parser.add_argument('--draws', type=int, default=2, help='of the augmentation, per query; default %(default)s')
    parser.add_argument('--neighbours', type=int, default=5, help='images in a row; default %(default)s')
    parser.add_argument('--apart', type=int, default=0, metavar='N',
                        help="leave out N images before and after a query's own, frames of one video; default 0")
    parser.add_argument('--strength', type=float, help='lambda; default lambda_0 of the loss')
    add_seed(parser, 'the queries and draws')
    add_out(parser, '<work-dir>/directions/directions.json')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    out = result_file(args.out, Path(cfg.work_dir, 'directions', 'directions.json'))
    from isda_seg.paper.features.classifier_inputs import open_checkpoint, steps
    from isda_seg.paper.features.classifier_pairs import pair_of
    from isda_seg.paper.pictures.class_directions import Wanted, look
    from isda_seg.paper.pictures.directions_report import Source, write
    wanted = Wanted(args.classes, args.queries, args.shown, args.draws, neighbours=args.neighbours, apart=args.apart,
                    strength=args.strength, seed=args.seed)
    opened = open_checkpoint(cfg, args.checkpoint)
    pair = pair_of(opened.pairs, args.head)
    looked = look(lambda: steps(opened, args.split, args.head), pair.loss, opened.classes(pair), wanted, args.split)
    source = Source(args.config, args.checkpoint, pair.name, args.split)
    for line in write(looked, source, out):
        print(line)


if __name__ == '__main__':
    run_main(main)
