"""Train a GAN generator on the training images of a classification config.

    python tools/train_generator.py CONFIG [--kind wgan] [--classes [cat dog]] [--steps 20000] [--write-images 1000]

Trains a WGAN on all images or one per class, or a single label-conditional generator: CGAN, ACGAN, InfoGAN. Images must
be square with a side of 8, 16, 32, ... pixels. Writes <kind>_<class>.pth and a .png of random images to the work
directory. If the file exists, training resumes exactly from it. A signal of a scheduler, such as SIGTERM, ends the
training after the current step, which is saved.
"""
import argparse
import textwrap
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device

from isda_seg.paper.generators.gan_training import train
from isda_seg.paper.generators.generator import GeneratorAdapter, sample_codes
from isda_seg.paper.generators.labelled_gan_training import KINDS, LabelledGANSettings, LabelledGANTraining
from isda_seg.paper.generators.saved_generator import read_generator, write_images
from isda_seg.paper.generators.wgan_training import WGANSettings, WGANTraining
from isda_seg.paper.visualisation.reverse_figure import Column, draw_columns
from isda_seg.paper.visualisation.training_images import training_images
from isda_seg.runtime.arguments import add_config, add_seed
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.outputs import check_folder
from isda_seg.runtime.user_errors import run_main

ALL = 'all'   # in the file name of a generator of all images
SHOWN = 8, 8  # rows and columns of the figure; conditional generators have one row per class


def parse_args() -> argparse.Namespace:
    defaults = WGANSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config(parser)
    parser.add_argument('--kind', choices=['wgan', *KINDS], default='wgan', help='kind of GAN; default %(default)s')
    parser.add_argument('--classes', nargs='*', metavar='NAME', help='train a WGAN for each of these classes; '
                        'without names, train one for every class; default one WGAN for all images')
    parser.add_argument('--steps', type=int, default=20_000, help='updates per generator; default %(default)s')
    parser.add_argument('--width', type=int, default=defaults.width, help='width of the networks; default %(default)s')
    parser.add_argument('--batch', type=int, default=defaults.batch, help='batch size; default %(default)s')
    add_seed(parser, default=defaults.seed)
    parser.add_argument('--save-every', type=int, default=200, metavar='STEPS',
                        help='checkpoint interval; default %(default)s')
    parser.add_argument('--write-images', type=int, metavar='N', help='write N images per class to <work-dir>/images, '
                        'in the format of ImageFolderDataset')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.kind != 'wgan' and args.classes is not None:
        raise ValueError(f'A single {args.kind} generates images of all classes. Omit --classes')
    if args.kind == 'wgan' and args.write_images and args.classes is None:
        raise ValueError('--write-images needs a generator per class or a conditional generator. Add --classes or '
                         f'--kind {KINDS[0]}')
    if args.steps < 1:
        raise ValueError(f'--steps must be at least 1, got {args.steps}')
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    if args.write_images:
        check_folder('--work-dir', Path(cfg.work_dir, 'images'), [cfg])
    names = [None] if args.classes is None else args.classes or training_images(cfg).classes
    if ALL in names:
        raise ValueError(f'a class named {ALL} would share {args.kind}_{ALL}.pth with the generator of all images. '
                         'Rename the class; --classes without names trains a generator for every class')
    for wanted in names:
        make(cfg, wanted, args)


def make(cfg: Config, wanted: str | None, args: argparse.Namespace) -> None:
    """Train one generator, draw random images and, if requested, write images to files."""
    out = Path(cfg.work_dir, f'{args.kind}_{wanted or ALL}.pth')
    data = training_images(cfg, wanted)
    images, common = data.images.to(get_device()), dict(width=args.width, batch=args.batch, seed=args.seed)
    labelled = args.kind != 'wgan'
    train(LabelledGANTraining(images, data.labels, LabelledGANSettings(len(data.classes), **common), args.kind)
          if labelled else WGANTraining(images, WGANSettings(**common)), out, args.steps, args.save_every)
    generator = read_generator(out)
    draw(generator, out, data.classes if labelled else None, wanted or 'all classes', args.seed)
    if args.write_images:
        folder = Path(cfg.work_dir, 'images', 'train')
        for label, name in enumerate(data.classes) if labelled else [(None, str(wanted))]:
            seed = args.seed if label is None else args.seed * len(data.classes) + label  # differs by class
            write_images(generator, folder / name, args.write_images, seed, label)
            print(f'wrote {args.write_images} images into {folder / name}')


@torch.no_grad()
def draw(generator: GeneratorAdapter, out: Path, classes: tuple[str, ...] | None, title: str, seed: int) -> None:
    """Draw random images; a conditional generator has one row per class, with the same codes in every row."""
    rows, columns = SHOWN
    codes, labels = sample_codes(rows * columns, generator.z_dim, seed), None
    if classes is not None:
        rows = len(classes)
        codes, labels = codes[:columns].repeat(rows, 1), torch.arange(rows).repeat_interleave(columns)
        title = textwrap.fill(f'from top to bottom: {", ".join(classes)}', 90)
    draw_columns([Column('random', torch.unflatten(generator.images(codes, labels), 0, (rows, columns)))],
                 out.with_suffix('.png'), title)
    print(f'wrote {out} and .png')


if __name__ == '__main__':
    run_main(main)
