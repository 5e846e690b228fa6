"""Visualise semantic directions: move features of a class along its covariance and show the nearest training images.

    python tools/show_directions.py CONFIG CHECKPOINT [--classes car person]

Writes a PNG per class and directions.json. Each row shows one translation of the query feature: none, samples of the
augmentation N(0, lambda Sigma_y), two standard deviations along the leading directions of Sigma_y, and random
directions of equal length for comparison.
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
    parser.add_argument('--classes', nargs='+', default=[], metavar='NAME', help='class names; default all')
    parser.add_argument('--head', help='head of a segmentation model; default decode_head')
    parser.add_argument('--split', default='train', choices=['train', 'val', 'test'],
                        help='images to search; default %(default)s')
    parser.add_argument('--queries', type=int, default=20, help='query features per class; default %(default)s')
    parser.add_argument('--shown', type=int, default=2, help='number of queries in the figure; default %(default)s')
    parser.add_argument('--samples', type=int, default=2,
                        help='samples of the augmentation per query; default %(default)s')
    parser.add_argument('--neighbours', type=int, default=5, help='nearest images per row; default %(default)s')
    parser.add_argument('--apart', type=int, default=0, metavar='N',
                        help="exclude N images before and after the query's image, for video frames; default 0")
    parser.add_argument('--strength', type=float, help='lambda; default lambda_0 of the loss')
    add_seed(parser, 'the queries and samples')
    add_out(parser, '<work-dir>/directions/directions.json')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    out = result_file(args.out, Path(cfg.work_dir, 'directions', 'directions.json'),
                      [args.config, args.checkpoint, cfg])
    from isda_seg.paper.features.classifier_inputs import batches, open_checkpoint
    from isda_seg.paper.features.classifier_pairs import pair_of
    from isda_seg.paper.visualisation.class_directions import SearchOptions, search
    from isda_seg.paper.visualisation.directions_report import Source, write
    options = SearchOptions(args.classes, args.queries, args.shown, args.samples, neighbours=args.neighbours,
                            apart=args.apart, strength=args.strength, seed=args.seed)
    opened = open_checkpoint(cfg, args.checkpoint)
    pair = pair_of(opened.pairs, args.head)
    result = search(lambda: batches(opened, args.split, args.head), pair.loss, opened.classes(pair), options,
                    args.split)
    source = Source(args.config, args.checkpoint, pair.name, args.split)
    for line in write(result, source, out):
        print(line)


if __name__ == '__main__':
    run_main(main)
