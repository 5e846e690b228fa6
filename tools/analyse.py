"""Run an analysis of the paper on your config and checkpoint: python tools/analyse.py ANALYSIS ... (see ANALYSIS -h)

features CONFIG CHECKPOINT [CONFIG CHECKPOINT]: t-SNE of deep features, covariance spectra, margin table (Fig. 8)
tightness CONFIG: train, and measure the gap between the loss and the expectation it bounds (Fig. 9)
prior CONFIG CHECKPOINT [CONFIG CHECKPOINT]: mIoU and accuracy over the tau of logit adjustment; tau is selected on
    held-out training images; average precision of each class
"""
import argparse
import os
from pathlib import Path

from mmengine.dist import is_main_process

from isda_seg import compat
from isda_seg.runtime.arguments import add_config, add_out, add_seed, result_file
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    analyses = parser.add_subparsers(dest='analysis', required=True)
    add_features(analyses)
    add_tightness(analyses)
    add_prior(analyses)
    return parser.parse_args()


def add_tightness(analyses: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    text = ('Train a config and measure cross-entropy, its expectation under augmentation and the bound on fixed '
            'training images during training (Fig. 9), and for several strengths and numbers of classes at the end.')
    parser = analyses.add_parser('tightness', help='gap between the ISDA loss and the expectation it bounds',
                                 description=text)
    add_config(parser)
    parser.add_argument('--seeds', nargs='+', type=int,
                        help="one training per seed; default the seed of the config, or 0")
    parser.add_argument('--interval', type=int,
                        help='epochs or iterations between two measurements; default about 20 in total')
    parser.add_argument('--samples', type=int, default=1000, help='number of training images; default %(default)s')
    parser.add_argument('--pixels', type=int, default=10, help='pixels per image in segmentation; default %(default)s')
    parser.add_argument('--draws', type=int, default=1000,
                        help='Monte Carlo samples per image or pixel; default %(default)s')
    parser.add_argument('--strengths', nargs='+', type=float, metavar='L',
                        help='strengths for the trained model; default lambda_0 / 8 to 4 lambda_0')
    parser.add_argument('--resume', action='store_true', help='resume from the checkpoints in the work directory')
    add_out(parser, '<work-dir>/tightness.json')
    add_options(parser)
    parser.set_defaults(run=tightness)


def tightness(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    out = result_file(args.out, Path(cfg.work_dir, 'tightness.json'), [args.config, cfg], ['.png'])
    from isda_seg.paper.tightness.figure import draw_tightness
    from isda_seg.paper.tightness.series import final_means, final_table, train_and_measure
    seeds = args.seeds or [(cfg.get('randomness') or {}).get('seed') or 0]
    options = dict(interval=args.interval, samples=args.samples, pixels=args.pixels, draws=args.draws)
    runs = train_and_measure(cfg, seeds, options, args.strengths, args.resume)
    result = dict(kind='tightness', config=os.path.relpath(args.config), options=args.cfg_options or {}, seeds=seeds,
                  **options, final=final_means(runs), runs=runs, **provenance(seeds[0]))
    if is_main_process():
        write_json(out, result)
        draw_tightness(result, out.with_suffix('.png'))
        print(final_table(result['final']))
        print(f'wrote {out} and {out.with_suffix(".png")}')


def add_features(analyses: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    text = ('Analyse the deep features of one trained model, or of two on the same data: t-SNE (Fig. 8), covariance '
            'spectra, the margin table, and its relation to the confusion matrix.')
    parser = analyses.add_parser('features', help='deep features of the classes', description=text)
    parser.add_argument('models', nargs='+', metavar='CONFIG CHECKPOINT', help='one or two models')
    parser.add_argument('--split', choices=['test', 'val', 'train'], default='test', help='default %(default)s')
    parser.add_argument('--head', help='head with the classifier; default decode_head, or the only one')
    parser.add_argument('--per-class', type=int, default=100,
                        help='samples per class in the t-SNE; default %(default)s')
    parser.add_argument('--perplexity', type=float, default=30, help='perplexity of t-SNE; default %(default)s')
    add_seed(parser, 'the sample and t-SNE')
    add_out(parser, '<work-dir>/features/features.json')
    add_options(parser)
    parser.set_defaults(run=features)


def features(args: argparse.Namespace) -> None:
    configs, checkpoints = one_or_two(args)
    compat.require_scikit_learn()
    cfgs = [load_config(config, args.cfg_options, args.work_dir, args.launcher) for config in configs]
    out = result_file(args.out, Path(cfgs[0].work_dir, 'features', 'features.json'), [*args.models, *cfgs])
    from isda_seg.paper.features.classifier_inputs import open_checkpoint
    from isda_seg.paper.features.features import analyse, check_same_data
    from isda_seg.paper.features.features_report import draw_all, entry, summary
    options = dict(split=args.split, head=args.head, per_class=args.per_class, perplexity=args.perplexity)
    opened = [open_checkpoint(cfg, checkpoint) for cfg, checkpoint in zip(cfgs, checkpoints, strict=True)]
    names = model_names(configs, checkpoints)
    found = [analyse(name, model, **options, seed=args.seed) for name, model in zip(names, opened, strict=True)]
    check_same_data(found)
    entries = [dict(entry(analysis, model.meta), config=os.path.relpath(config), checkpoint=os.path.relpath(checkpoint))
               for analysis, model, config, checkpoint in zip(found, opened, configs, checkpoints, strict=True)]
    write_json(out, dict(kind='features', models=entries, **options, **provenance(args.seed)))
    title = (f't-SNE of the deep features\n{args.split} data, at most {args.per_class} samples of each class, '
             f'perplexity {args.perplexity:g}')
    figures = draw_all(found, title, out.parent)
    print(summary(entries))
    print(f'wrote {", ".join(map(str, [out, *figures]))}')


def one_or_two(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Split the paths into configs and checkpoints."""
    if len(args.models) not in (2, 4):
        raise ValueError(f'{args.analysis} takes CONFIG CHECKPOINT of one or two models, got {len(args.models)} '
                         'paths')
    return args.models[::2], args.models[1::2]


def model_names(configs: list[str], checkpoints: list[str]) -> list[str]:
    """Return the config names of models, with the checkpoint if names are ambiguous."""
    stems = [Path(config).stem for config in configs]
    return [stem if stems.count(stem) == 1 else f'{stem} ({"/".join(Path(checkpoint).with_suffix("").parts[-2:])})'
            for stem, checkpoint in zip(stems, checkpoints, strict=True)]


def add_prior(analyses: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    text = ('Test one or two trained segmentation models with tau * log prior subtracted from the logits (logit '
            'adjustment): mIoU, mean accuracy and pixel accuracy over tau, and IoU and average precision of each '
            'class. Tau is selected on training images that the checkpoint was not trained on.')
    parser = analyses.add_parser('prior', help='mIoU and accuracy over the tau of logit adjustment', description=text)
    parser.add_argument('models', nargs='+', metavar='CONFIG CHECKPOINT', help='one or two models')
    parser.add_argument('--split', choices=['test', 'val', 'train'], default='test', help='default %(default)s')
    parser.add_argument('--tau', nargs='+', type=float, default=[tenths / 10 for tenths in range(11)], metavar='TAU',
                        help='values to test, in addition to 0; a single value is not tuned; default 0 0.1 ... 1')
    parser.add_argument('--held-out', type=float, default=0.25, metavar='SHARE',
                        help='fraction of the training images, from the end, that selects tau unless the checkpoint '
                             'was trained on them, as in tools/benchmarks/sweep.py; default %(default)s')
    add_out(parser, '<work-dir>/prior/prior.json')
    add_options(parser)
    parser.set_defaults(run=prior)


def prior(args: argparse.Namespace) -> None:
    configs, checkpoints = one_or_two(args)
    cfgs = [load_config(config, args.cfg_options, args.work_dir, args.launcher) for config in configs]
    out = result_file(args.out, Path(cfgs[0].work_dir, 'prior', 'prior.json'), [*args.models, *cfgs], ['.png'])
    from isda_seg.paper.prior import check_same_data, evaluate_taus, plan, tau_grid
    from isda_seg.paper.prior_report import draw_prior, summary
    taus = tau_grid(args.tau)
    share = args.held_out if len(taus) > 2 else None
    plans = [plan(name, cfg, config, checkpoint, args.split, share) for name, cfg, config, checkpoint
             in zip(model_names(configs, checkpoints), cfgs, configs, checkpoints, strict=True)]
    check_same_data(plans)
    models = [evaluate_taus(model, taus) for model in plans]
    if is_main_process():
        write_json(out, dict(kind='prior', split=args.split, taus=taus, held_out=share, models=models, **provenance()))
        draw_prior(models, args.split, out.with_suffix('.png'))
        print(summary(models, args.split))
        print(f'wrote {out}, {out.with_suffix(".png")}')


def main() -> None:
    args = parse_args()
    args.run(args)


if __name__ == '__main__':
    run_main(main, 'stopped; add --resume to continue')
