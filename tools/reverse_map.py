"""Show what augmented features look like: python tools/reverse_map.py CONFIG CHECKPOINT GENERATOR --class cat

The reverse mapping of Appendix E (Figs. 6, 7, 13, 14): the generator's codes are sought whose images have the features
of some training images of a class (step I), then those of features moved by draws from N(0, strength Sigma_y) (step
II). GENERATOR is a file of tools/train_generator.py, or the folder of BigGAN-deep. Beside them: random images of the
generator, and for every image the nearest training images of the class in pixel space.
"""
import argparse
from pathlib import Path

import torch

from isda_seg.pictures.feature_network import of_classifier
from isda_seg.pictures.inversion import RECIPES
from isda_seg.pictures.reverse_figure import draw_columns
from isda_seg.pictures.reverse_mapping import columns, reverse_map
from isda_seg.pictures.saved_generator import read_generator
from isda_seg.pictures.training_images import training_images
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('generator')
    parser.add_argument('--class', dest='wanted', metavar='CLASS', required=True)
    parser.add_argument('--images', type=int, default=4, help='how many images of it; default %(default)s')
    parser.add_argument('--augmented', type=int, default=5, help='draws for each; default %(default)s')
    parser.add_argument('--strength', type=float, default=0.5, help='lambda; default %(default)s')
    parser.add_argument('--recipe', choices=RECIPES, default='short',
                        help="the paper's for CIFAR, the public code's for ImageNet, or a shorter one; default short")
    parser.add_argument('--steps', type=int, nargs=2, metavar=('FIRST', 'SECOND'),
                        help="the recipe's course in so many steps; default its own, 1000 1000 of the short one")
    parser.add_argument('--restarts', type=int, default=4, help='first codes for each image; default %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='default %(default)s')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    generator = read_generator(args.generator)
    data = training_images(cfg, args.wanted)
    network = of_classifier(cfg, args.checkpoint, data.images.shape[-1])
    recipe = RECIPES[args.recipe]
    if args.steps:
        recipe = recipe._replace(first=recipe.first.within(args.steps[0]),
                                 second=recipe.second.within(args.steps[1]))
    chosen = torch.randperm(len(data.images), generator=torch.Generator().manual_seed(args.seed))[:args.images]
    found = reverse_map(data.images[chosen], data.labels[chosen], network.moments(data.images).covariance[0], generator,
                        network, recipe, args.strength, args.augmented, args.restarts, args.seed)
    out = Path(cfg.work_dir, f'reverse_{args.wanted}')
    draw_columns(columns(found), f'{out}.png', f'{args.wanted}, strength {args.strength:g}')
    write_json(f'{out}.json', dict(provenance(args.seed), kind='reverse mapping', config=args.config,
                                   images=chosen.tolist(), **found.report()))
    print(found.summary())
    print(f'wrote {out}.png and .json')


if __name__ == '__main__':
    run_main(main)
