"""Create the demo data: synthetic street scenes in the Cityscapes folder layout, nineteen classes, no download.

    python tools/make_streets.py [--out data/streets] [--train 160] [--val 40] [--seed 0] [--height 128 --width 256]

A folder that already contains these scenes is not changed. A folder with other content is an error.
"""
import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from isda_seg.demo_data.dataset import write_streets
from isda_seg.runtime.arguments import add_seed


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    default = Path(os.environ.get('ISDA_SEG_DATA', 'data'), 'streets')
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=default, help='output folder; default %(default)s')
    parser.add_argument('--train', type=int, default=160, help='number of training images; default %(default)s')
    parser.add_argument('--val', type=int, default=40, help='number of validation images; default %(default)s')
    add_seed(parser, 'the scenes')
    parser.add_argument('--height', type=int, default=128, help='image height in pixels; default %(default)s')
    parser.add_argument('--width', type=int, default=256, help='image width in pixels; default %(default)s')
    return parser.parse_args(arguments)


def show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f'\r{done} of {total} streets', end='\n' if done == total else '', file=sys.stderr, flush=True)
    elif done % 50 == 0 or done == total:
        print(f'{done} of {total} streets', file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    start = time.perf_counter()
    try:
        written = write_streets(options.out, options.train, options.val, options.seed, options.height, options.width,
                                progress=show_progress)
    except (OSError, ValueError) as error:
        sys.exit(f'make_streets: {error}')
    streets = (f'{options.train} training and {options.val} validation streets of {options.height} x {options.width} '
               f'pixels, seed {options.seed}')
    if written:
        print(f'{options.out}: wrote {streets}, in {time.perf_counter() - start:.1f} s')
    else:
        print(f'{options.out}: already holds {streets}; nothing written')


if __name__ == '__main__':
    main()
