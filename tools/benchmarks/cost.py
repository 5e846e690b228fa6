"""Measure time and memory of ISDA against cross-entropy and the literal form.

    python tools/benchmarks/cost.py [--out FILE]
    python tools/benchmarks/cost.py --flops [cifar10 cifar100 imagenet] [--networks NAME ...] [--time]

With --flops, count the multiply-adds of the networks of Tables 1 and 3 and of ISDA instead.
"""
import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from isda_seg.paper.cost import growth, workload
from isda_seg.paper.cost.compare import compare_losses
from isda_seg.paper.cost.meter import COPIED_BYTES, TOY_COPIED_BYTES, Meter
from isda_seg.paper.cost.network_cost import SETTINGS, measured, summary
from isda_seg.paper.cost.profile import profile
from isda_seg.paper.cost.report import one_sentence, report
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

PARTS = ('loss', 'step', 'growth', 'profile')
NETWORKS = list(dict.fromkeys(name for setting in SETTINGS.values() for name in setting.networks))
CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
CPU_STEP = (CONFIGS / 'cityscapes' / 'pspnet_r50-d8_isda_4xb2-40k_cityscapes-769x769.py', 193)
GPU_STEP = (CONFIGS / 'cityscapes' / 'pspnet_r101-d8_isda_4xb2-40k_cityscapes-769x769.py', 769)
TOY_STEP = (CONFIGS / 'demo' / 'pspnet_r18-small-d8_isda_1xb8-400_streets-192x128.py', 64)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='auto', help='cpu, cuda or auto; default %(default)s')
    add_out(parser, 'work_dirs/cost_<date>.json, with --flops work_dirs/flops_<date>.json')
    parser.add_argument('--rounds', type=int, default=15, help='number of timed rounds; default %(default)s')
    parser.add_argument('--only', nargs='+', choices=PARTS, default=PARTS, help='measurements to run; default all')
    parser.add_argument('--literal-gib', type=float, default=0.75,
                        help='limit of one N x C x A tensor in GiB, above which the literal form runs on a slice; '
                             'default %(default)s')
    parser.add_argument('--step-config', type=Path,
                        help='ISDA config of the step; default PSPNet-R101 on a GPU, PSPNet-R50 on a CPU')
    parser.add_argument('--step-size', type=int,
                        help='height and width of the crops; default 769 on a GPU, 193 on a CPU')
    parser.add_argument('--step-images', type=int, default=2, help='batch size of the step; default %(default)s')
    parser.add_argument('--toy', action='store_true', help='use tiny tensors, for a quick test')
    flops = parser.add_argument_group('multiply-adds')
    flops.add_argument('--flops', nargs='*', choices=SETTINGS,
                       help='count multiply-adds for these datasets; default all')
    flops.add_argument('--networks', nargs='+', choices=NETWORKS, metavar='NAME',
                       help=f'count only these networks: {", ".join(NETWORKS)}')
    flops.add_argument('--batch', type=int, help="samples per step; default the paper's batch size per GPU")
    flops.add_argument('--time', action='store_true', help='also time training steps')
    args = parser.parse_args()
    if args.flops is None and (args.networks or args.batch or args.time):
        parser.error('--networks, --batch and --time require --flops')
    return args


def say(what: str) -> None:
    print(f'measuring {what}', file=sys.stderr, flush=True)


def measure(part: str, args: argparse.Namespace, meter: Meter, bandwidth: float) -> list[Any] | dict[str, Any]:
    """Run one part of the benchmark and return its entry in the result file."""
    sizes = workload.TOY_SIZES if args.toy else workload.SIZES
    found = []
    if part == 'step':
        from isda_seg.paper.cost.step import compare_steps
        config, side = TOY_STEP if args.toy else GPU_STEP if meter.on_gpu else CPU_STEP
        config, side = args.step_config or config, args.step_size or side
        say(f'a training step of {config.stem}')
        return compare_steps(config, side, args.step_images, meter, args.rounds)
    for axis in growth.AXES if part == 'growth' else ():
        say(f'scaling with {axis}')
        found.append(growth.growth(axis, growth.TOY_BASE if args.toy else growth.BASE, meter, args.rounds))
    for size in sizes if part != 'growth' else ():
        say(f'{part}: {size.name}')
        found.append(compare_losses(size, meter, args.rounds, args.literal_gib * 2 ** 30, bandwidth) if part == 'loss'
                     else profile(size, meter, args.rounds))
    return found


def measure_networks(args: argparse.Namespace, meter: Meter) -> None:
    """Count the multiply-adds of every network and, with --time, time its steps; print and write the result."""
    from isda_seg import compat
    compat.prepare()
    result: dict[str, Any] = dict(device=meter.device.type, rounds=args.rounds, **provenance(seed=0), networks=[])
    for row in measured(args.flops or SETTINGS, args.networks or (), args.batch, meter, args.rounds * args.time):
        print(f'measured {row["network"]} for {row["dataset"]}', file=sys.stderr, flush=True)
        result['networks'].append(row)
        write_json(args.out, result)
    print(summary(result['networks']))


def measure_losses(args: argparse.Namespace, meter: Meter) -> None:
    """Run the selected measurements; print and write the result."""
    bandwidth = meter.bandwidth(TOY_COPIED_BYTES if args.toy else COPIED_BYTES)
    result = dict(toy=args.toy, device=meter.device.type, rounds=args.rounds, bandwidth=bandwidth, **provenance(seed=0))
    write_json(args.out, result)  # fail early if the file cannot be written
    for part in args.only:
        result[part] = measure(part, args, meter, bandwidth)
        write_json(args.out, result)  # keep partial results if the run is interrupted
    print(report(result))
    if 'loss' in result:
        print(f'\n{one_sentence(result)}')


def main() -> None:
    args = parse_args()
    name = 'cost' if args.flops is None else 'flops'
    args.out = result_file(args.out, f'work_dirs/{name}_{datetime.now(timezone.utc).date()}.json',
                           [args.step_config] if args.step_config else [])
    meter = Meter(args.device)
    if args.flops is None:
        measure_losses(args, meter)
    else:
        measure_networks(args, meter)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run_main(main)
