"""Train a WGAN on the training images of a classification config: python tools/train_generator.py CONFIG [--class cat]

The images are those of the config, CIFAR, the digits, a folder; at least --batch of them, square, of 8, 16, 32 ...
pixels. Goes on from the file it wrote; --resume is not needed, and the result is that of a run without a stop.
"""
import argparse
import time
from pathlib import Path

import torch

from isda_seg.pictures.saved_generator import read_training
from isda_seg.pictures.training_images import training_images
from isda_seg.pictures.wgan_training import WGANSettings, WGANTraining
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    usual = WGANSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--class', dest='wanted', metavar='CLASS', help='train on images of this class; default all')
    parser.add_argument('--steps', type=int, default=20_000, help='updates of the generator; default %(default)s')
    parser.add_argument('--width', type=int, default=usual.width, help='of the networks; default %(default)s')
    parser.add_argument('--batch', type=int, default=usual.batch, help='default %(default)s')
    parser.add_argument('--seed', type=int, default=usual.seed, help='default %(default)s')
    parser.add_argument('--save-every', type=int, default=200, metavar='STEPS', help='default %(default)s')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    out = Path(cfg.work_dir, f'wgan_{args.wanted or "all"}.pth')
    settings = WGANSettings(width=args.width, batch=args.batch, seed=args.seed)
    training = WGANTraining(training_images(cfg, args.wanted).images, settings)
    if out.is_file():
        training.load_state_dict(read_training(out))
        print(f'{out}: goes on after {training.steps} steps')
    start = time.monotonic()
    while training.steps < args.steps:
        training.step()
        if training.steps % args.save_every == 0 or training.steps == args.steps:
            with written_aside(out) as aside:
                torch.save(training.state_dict(), aside)
            print(f'{training.steps} of {args.steps} steps, estimated distance {training.distance:.4f}, '
                  f'{time.monotonic() - start:.0f} s', flush=True)
    print(f'wrote {out}')


if __name__ == '__main__':
    run_main(main)
