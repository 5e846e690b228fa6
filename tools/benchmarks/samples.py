"""Time M explicit samples against the closed form: python tools/benchmarks/samples.py [CONFIG] [--samples M ...]

Alternates training steps with cross-entropy, the closed form of ISDA (Eq. 7) and M samples (Eq. 5).
"""
import argparse
from pathlib import Path

import torch
from mmengine.registry import MODELS

from isda_seg import compat
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.paper.cost.classifier_step import time_samples
from isda_seg.paper.cost.formatting import percent
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.result_tables import markdown
from isda_seg.run import CLASSIFIERS
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'miniature' / 'resnet8_isda_cifar10-1k.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', default=str(CONFIG), help='classification config; the covariance is read '
                        f'from default_hooks.isda; default {CONFIG.stem}')
    parser.add_argument('--samples', nargs='+', type=int, default=[1, 2, 5, 10, 20, 50], metavar='M',
                        help='values of M; default 1 2 5 10 20 50')
    parser.add_argument('--batch', type=int, default=64, help='images per step; default 64')
    parser.add_argument('--size', type=int, default=32, help='height and width of the images; default 32')
    parser.add_argument('--rounds', type=int, default=30, help='number of timed rounds; default 30')
    parser.add_argument('--device', default='auto', help='cpu, cuda or auto; default %(default)s')
    add_out(parser, 'work_dirs/samples.json')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if min(args.samples) < 1:
        raise ValueError(f'--samples must be at least 1, got {min(args.samples)}. The closed form is always included')
    cfg = compat.read_config(args.config)
    out = result_file(args.out, 'work_dirs/samples.json', [args.config, cfg])
    if type_name(cfg.get('model')) not in CLASSIFIERS:
        raise ValueError(f'{args.config} is not an image classification config. Use a config of configs/miniature')
    meter = Meter(args.device)
    torch.manual_seed(0)
    cfg.model.pop('data_preprocessor', None)  # the step starts from tensors
    model = MODELS.build(cfg.model).to(meter.device)
    covariance = cfg.get('default_hooks', {}).get('isda', {}).get('covariance', 'diagonal')
    found = time_samples(model, covariance, args.samples, args.batch, args.size, meter, args.rounds)
    rows = [[name, f'{percent(share["median"])} ({percent(share["low"])} to {percent(share["high"])})']
            for name, share in found['extra_time'].items()]
    print(markdown([['samples', 'extra time of a step (quartiles)'], *rows]))
    write_json(out, dict(provenance(seed=0), config=Path(args.config).name, covariance=covariance, batch=args.batch,
                         size=args.size, **found))
    print(f'wrote {out}')


if __name__ == '__main__':
    run_main(main)
