"""Train a WGAN on the training images of a classifier's config, all of them or one generator for each class.

    python tools/train_generator.py CONFIG [--classes [cat dog]] [--steps 20000] [--write-images 1000]

The images are the config's: CIFAR, the digits, a folder of images by class; square, of 8, 16, 32 ... pixels. Writes
wgan_<class>.pth and a .png of random images into the work directory. Where the file is there it goes on from it, and
the result is that of a run without a stop.
"""
import argparse
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device

from isda_seg.pictures.generator import draw_codes
from isda_seg.pictures.reverse_figure import Column, draw_columns
from isda_seg.pictures.saved_generator import read_generator, read_training, write_images
from isda_seg.pictures.training_images import training_images
from isda_seg.pictures.wgan_training import WGANSettings, WGANTraining
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.user_errors import run_main

SHOWN = 8, 8  # random images of the picture


def parse_args() -> argparse.Namespace:
    usual = WGANSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--classes', nargs='*', metavar='NAME', help='a generator for each of these classes, for each '
                        'of all where none is named; by default one generator of all images')
    parser.add_argument('--steps', type=int, default=20_000, help='updates of each generator; default %(default)s')
    parser.add_argument('--width', type=int, default=usual.width, help='of the networks; default %(default)s')
    parser.add_argument('--batch', type=int, default=usual.batch, help='default %(default)s')
    parser.add_argument('--seed', type=int, default=usual.seed, help='default %(default)s')
    parser.add_argument('--save-every', type=int, default=200, metavar='STEPS', help='default %(default)s')
    parser.add_argument('--write-images', type=int, metavar='N', help='write so many images of each class, as a folder '
                        'that ImageFolderDataset reads, into <work dir>/images')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.write_images and args.classes is None:
        raise ValueError('--write-images needs a generator for each class: add --classes')
    if args.steps < 1:
        raise ValueError(f'--steps must be at least 1, got {args.steps}')
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    for wanted in [None] if args.classes is None else args.classes or training_images(cfg).classes:
        make(cfg, wanted, args)


def make(cfg: Config, wanted: str | None, args: argparse.Namespace) -> None:
    """One generator, a picture of what it draws, and its images where they are asked for."""
    out = Path(cfg.work_dir, f'wgan_{wanted or "all"}.pth')
    settings = WGANSettings(width=args.width, batch=args.batch, seed=args.seed)
    train(WGANTraining(training_images(cfg, wanted).images.to(get_device()), settings), out, args)
    generator = read_generator(out)
    with torch.no_grad():
        images = generator.images(draw_codes(SHOWN[0] * SHOWN[1], generator.z_dim, args.seed))
    draw_columns([Column('random', images.unflatten(0, SHOWN))], out.with_suffix('.png'), wanted or 'all classes')
    print(f'wrote {out} and .png')
    if args.write_images:
        folder = Path(cfg.work_dir, 'images', 'train', wanted)
        write_images(generator, folder, args.write_images, args.seed)
        print(f'wrote {args.write_images} images into {folder}')


def train(training: WGANTraining, out: Path, args: argparse.Namespace) -> None:
    """To the end, saved on the way."""
    if out.is_file():
        training.load_state_dict(read_training(out))
        done = training.steps >= args.steps
        print(f'{out}: ' + (f'has {training.steps} steps already, nothing to train' if done else
                            f'goes on after {training.steps} steps'))
    start = time.monotonic()
    while training.steps < args.steps:
        training.step()
        if training.steps % args.save_every == 0 or training.steps == args.steps:
            with written_aside(out) as aside:
                torch.save(training.state_dict(), aside)
            print(f'{training.steps} of {args.steps} steps, estimated distance {training.distance:.4f}, '
                  f'{time.monotonic() - start:.0f} s', flush=True)


if __name__ == '__main__':
    run_main(main)
