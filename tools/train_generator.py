"""Train a generator on the training images of a classifier's config.

    python tools/train_generator.py CONFIG [--kind wgan] [--classes [cat dog]] [--steps 20000] [--write-images 1000]

A WGAN of all images, or one for each class; or a single generator that takes the label: CGAN, ACGAN, InfoGAN. The
images are the config's: CIFAR, the digits, a folder of images by class; square, of 8, 16, 32 ... pixels. Writes
<kind>_<class>.pth and a .png of random images into the work directory. Where the file is there it goes on from it, and
the result is that of a run without a stop.
"""
import argparse
import textwrap
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device

from isda_seg.paper.pictures.gan_training import GANTraining
from isda_seg.paper.pictures.generator import GeneratorAdapter, draw_codes
from isda_seg.paper.pictures.labelled_gan_training import KINDS, LabelledGANSettings, LabelledGANTraining
from isda_seg.paper.pictures.reverse_figure import Column, draw_columns
from isda_seg.paper.pictures.saved_generator import read_generator, read_training, write_images
from isda_seg.paper.pictures.training_images import training_images
from isda_seg.paper.pictures.wgan_training import WGANSettings, WGANTraining
from isda_seg.runtime.arguments import add_config, add_seed
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.user_errors import run_main

SHOWN = 8, 8  # random images of the picture; of a generator that takes labels as many rows as classes


def parse_args() -> argparse.Namespace:
    usual = WGANSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config(parser)
    parser.add_argument('--kind', choices=['wgan', *KINDS], default='wgan', help='default %(default)s')
    parser.add_argument('--classes', nargs='*', metavar='NAME', help='a WGAN for each of these classes, each of all '
                        'where none is named; by default one of all images')
    parser.add_argument('--steps', type=int, default=20_000, help='updates of each generator; default %(default)s')
    parser.add_argument('--width', type=int, default=usual.width, help='of the networks; default %(default)s')
    parser.add_argument('--batch', type=int, default=usual.batch, help='default %(default)s')
    add_seed(parser, default=usual.seed)
    parser.add_argument('--save-every', type=int, default=200, metavar='STEPS', help='default %(default)s')
    parser.add_argument('--write-images', type=int, metavar='N', help='write so many images of each class, as a folder '
                        'that ImageFolderDataset reads, into <work dir>/images')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.kind != 'wgan' and args.classes is not None:
        raise ValueError(f'one {args.kind} makes the images of all classes: leave --classes out')
    if args.kind == 'wgan' and args.write_images and args.classes is None:
        raise ValueError('--write-images needs a generator for each class, or one that takes the label: add --classes, '
                         f'or --kind {KINDS[0]}')
    if args.steps < 1:
        raise ValueError(f'--steps must be at least 1, got {args.steps}')
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    for wanted in [None] if args.classes is None else args.classes or training_images(cfg).classes:
        make(cfg, wanted, args)


def make(cfg: Config, wanted: str | None, args: argparse.Namespace) -> None:
    """One generator, a picture of what it draws, and its images where they are asked for."""
    out = Path(cfg.work_dir, f'{args.kind}_{wanted or "all"}.pth')
    data = training_images(cfg, wanted)
    images, common = data.images.to(get_device()), dict(width=args.width, batch=args.batch, seed=args.seed)
    labelled = args.kind != 'wgan'
    train(LabelledGANTraining(images, data.labels, LabelledGANSettings(len(data.classes), **common), args.kind)
          if labelled else WGANTraining(images, WGANSettings(**common)), out, args)
    generator = read_generator(out)
    draw(generator, out, data.classes if labelled else None, wanted or 'all classes', args.seed)
    if args.write_images:
        folder = Path(cfg.work_dir, 'images', 'train')
        for label, name in enumerate(data.classes) if labelled else [(None, wanted)]:
            seed = args.seed if label is None else args.seed * len(data.classes) + label  # codes of its own
            write_images(generator, folder / name, args.write_images, seed, label)
            print(f'wrote {args.write_images} images into {folder / name}')


@torch.no_grad()
def draw(generator: GeneratorAdapter, out: Path, classes: tuple[str, ...] | None, title: str, seed: int) -> None:
    """Random images; a row for each class, where there are classes, with the same codes in every row."""
    rows, number = SHOWN
    codes, labels = draw_codes(rows * number, generator.z_dim, seed), None
    if classes is not None:
        rows = len(classes)
        codes, labels = codes[:number].repeat(rows, 1), torch.arange(rows).repeat_interleave(number)
        title = textwrap.fill(f'from top to bottom: {", ".join(classes)}', 90)
    draw_columns([Column('random', generator.images(codes, labels).unflatten(0, (rows, number)))],
                 out.with_suffix('.png'), title)
    print(f'wrote {out} and .png')


def train(training: GANTraining, out: Path, args: argparse.Namespace) -> None:
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
            progress = ', '.join(f'{name} {value:.4f}' for name, value in training.progress.items())
            print(f'{training.steps} of {args.steps} steps, {progress}, {time.monotonic() - start:.0f} s', flush=True)


if __name__ == '__main__':
    run_main(main)
