"""Visualise augmented features: python tools/reverse_map.py CONFIG CHECKPOINT GENERATOR --class cat

Reverse mapping of Appendix E (Figs. 6, 7, 13, 14) for image classifiers. Step I optimises generator codes whose images
have the features of training images of the class. Step II optimises codes for these features plus samples from
N(0, lambda Sigma_y). GENERATOR is a file of tools/train_generator.py or a folder with BigGAN-deep. A second figure
shows the nearest training images of all classes in pixel space.
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
    parser.add_argument('generator', help='file of tools/train_generator.py or folder with BigGAN-deep')
    parser.add_argument('--class', dest='wanted', metavar='NAME', required=True, help='class of the images')
    parser.add_argument('--images', type=int, default=4, help='number of images; default %(default)s')
    parser.add_argument('--samples', type=int, default=5,
                        help='samples of the augmentation per image; default %(default)s')
    parser.add_argument('--strength', type=float, help='lambda; default lambda_0 of the loss')
    parser.add_argument('--recipe', choices=['short', 'cifar', 'imagenet'], default='short',
                        help='optimisation schedule: short, or those of the paper (cifar) and of its code (imagenet); '
                             'default %(default)s')
    parser.add_argument('--steps', type=int, nargs=2, metavar=('FIRST', 'SECOND'),
                        help='steps of step I and step II; default those of the recipe, for short 1000 1000')
    parser.add_argument('--restarts', type=int, default=4, help='initial codes per image; default %(default)s')
    parser.add_argument('--neighbours', type=int, default=5,
                        help='number of nearest training images; default %(default)s')
    add_seed(parser, 'the images, samples and initial codes')
    add_out(parser, '<work-dir>/reverse_<class>.json')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    out = result_file(args.out, Path(cfg.work_dir, f'reverse_{args.wanted}.json'),
                      [args.config, args.checkpoint, args.generator, cfg], ['.png', '_nearest.png'])
    from isda_seg.paper.features.classifier_inputs import open_checkpoint
    from isda_seg.paper.features.split_data import split_loader
    from isda_seg.paper.generators.saved_generator import read_generator
    from isda_seg.paper.visualisation.inversion import RECIPES
    from isda_seg.paper.visualisation.reverse_figure import draw_columns
    from isda_seg.paper.visualisation.reverse_mapping import (
        ReverseOptions,
        grid_columns,
        nearest_columns,
        reverse_class,
    )
    from isda_seg.runtime.provenance import provenance, write_json
    recipe = RECIPES[args.recipe]
    recipe = recipe if args.steps is None else recipe.rescaled(*args.steps)
    options = ReverseOptions(args.wanted, args.images, args.samples, args.strength, args.restarts, args.seed)
    generator, opened = read_generator(args.generator), open_checkpoint(cfg, args.checkpoint)
    found, chosen, augmentation = reverse_class(opened, generator, options, recipe)
    figures = out.with_suffix('.png'), out.with_name(f'{out.stem}_nearest.png')
    title = f'{args.wanted}, features moved by N(0, {augmentation.strength:g} \N{GREEK CAPITAL LETTER SIGMA})'
    draw_columns(grid_columns(found), figures[0], title)
    draw_columns(nearest_columns(found, split_loader(cfg, 'train'), args.neighbours), figures[1], title)
    report = dict(provenance(args.seed), kind='reverse mapping', config=args.config,
                  wanted=dict(name=options.name, images=options.images, samples=options.samples,
                              strength=options.strength, restarts=options.restarts, seed=options.seed),
                  chosen=chosen, strength=augmentation.strength, covariance=augmentation.kind,
                  origin=augmentation.origin, **found.report())
    write_json(out, report)
    print('step I: loss from {start:.4g} to {best:.4g}'.format(**report['step_1']))
    print('step II: loss from {start:.4g} to {best:.4g}'.format(**report['step_2'])
          + f'; a sample moves the features by a squared distance of {report["moved"]:.4g} (medians)')
    print(f'wrote {out}, {figures[0]} and {figures[1]}')


if __name__ == '__main__':
    run_main(main)
