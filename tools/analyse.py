"""Run an analysis of the paper on your config and checkpoint: python tools/analyse.py ANALYSIS ... (see ANALYSIS -h)

features CONFIG CHECKPOINT [CONFIG CHECKPOINT]: t-SNE of deep features, covariance spectra, margin table (Fig. 8)
tightness CONFIG: train, and measure the gap between the loss and the expectation it bounds (Fig. 9)
prior CONFIG CHECKPOINT [CONFIG CHECKPOINT]: mIoU and accuracy over the tau of logit adjustment; tau is selected on
    held-out training images; average precision of each class
"""
import argparse
from pathlib import Path

from isda_seg import compat
from isda_seg.paper.trained_models import trained_models
from isda_seg.runtime.arguments import add_config, add_out, add_seed, result_file
from isda_seg.runtime.launch import add_options, load_config
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
    parser.add_argument('--images', type=int, default=1000, help='number of training images; default %(default)s')
    parser.add_argument('--pixels', type=int, default=10, help='pixels per image in segmentation; default %(default)s')
    parser.add_argument('--samples', type=int, default=1000,
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
    from isda_seg.paper.tightness.series import analyse_tightness
    hook = dict(interval=args.interval, images=args.images, pixels=args.pixels, samples=args.samples)
    analyse_tightness(cfg, args.config, args.cfg_options, args.seeds, hook, args.strengths, args.resume, out)


def add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('models', nargs='+', metavar='CONFIG CHECKPOINT', help='one or two models')
    parser.add_argument('--split', choices=['test', 'val', 'train'], default='test', help='default %(default)s')


def add_features(analyses: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    text = ('Analyse the deep features of one trained model, or of two on the same data: t-SNE (Fig. 8), covariance '
            'spectra, the margin table, and its relation to the confusion matrix.')
    parser = analyses.add_parser('features', help='deep features of the classes', description=text)
    add_models(parser)
    parser.add_argument('--head', help='head with the classifier; default decode_head, or the only one')
    parser.add_argument('--per-class', type=int, default=100,
                        help='samples per class in the t-SNE; default %(default)s')
    parser.add_argument('--perplexity', type=float, default=30, help='perplexity of t-SNE; default %(default)s')
    add_seed(parser, 'the sample and t-SNE')
    add_out(parser, '<work-dir>/features/features.json')
    add_options(parser)
    parser.set_defaults(run=features)


def features(args: argparse.Namespace) -> None:
    models = trained_models(args.models, args.analysis)
    compat.require_scikit_learn()
    cfgs = [load_config(model.config, args.cfg_options, args.work_dir, args.launcher) for model in models]
    out = result_file(args.out, Path(cfgs[0].work_dir, 'features', 'features.json'), [*args.models, *cfgs])
    from isda_seg.paper.features.features_report import analyse_features
    analyse_features(models, cfgs, args.split, args.head, args.per_class, args.perplexity, args.seed, out)


def add_prior(analyses: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    text = ('Test one or two trained segmentation models with tau * log prior subtracted from the logits (logit '
            'adjustment): mIoU, mean accuracy and pixel accuracy over tau, and IoU and average precision of each '
            'class. Tau is selected on training images that the checkpoint was not trained on.')
    parser = analyses.add_parser('prior', help='mIoU and accuracy over the tau of logit adjustment', description=text)
    add_models(parser)
    parser.add_argument('--logit-adjustment', nargs='+', type=float, metavar='TAU',
                        default=[tenths / 10 for tenths in range(11)], help='tau to test, in addition to 0; a '
                        'single one is not tuned; default 0 0.1 ... 1')
    parser.add_argument('--held-out', type=float, default=0.25, metavar='SHARE',
                        help='fraction of the training images, from the end, that selects tau unless the checkpoint '
                             'was trained on them, as in tools/benchmarks/sweep.py; default %(default)s')
    add_out(parser, '<work-dir>/prior/prior.json')
    add_options(parser)
    parser.set_defaults(run=prior)


def prior(args: argparse.Namespace) -> None:
    models = trained_models(args.models, args.analysis)
    cfgs = [load_config(model.config, args.cfg_options, args.work_dir, args.launcher) for model in models]
    out = result_file(args.out, Path(cfgs[0].work_dir, 'prior', 'prior.json'), [*args.models, *cfgs], ['.png'])
    from isda_seg.paper.prior_report import analyse_prior
    analyse_prior(models, cfgs, args.split, args.logit_adjustment, args.held_out, out)


def main() -> None:
    args = parse_args()
    args.run(args)


if __name__ == '__main__':
    run_main(main, 'stopped; add --resume to continue')
