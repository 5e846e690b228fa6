"""Compare configs with paired seeds: python tools/benchmarks/paired.py BASELINE ISDA [...] --seeds 0 1 2 3 4

An arm is a config, or a quoted config with options: 'CONFIG default_hooks.isda.covariance=full'. The option
test.logit_adjustment=TAU tests the same training with tau * log prior subtracted from the logits. Every arm is trained
with every seed; all arms share batches and initial weights. Existing runs in the work directory are reused, also those
of other series, and an interrupted series resumes.
"""
import argparse
import sys
from pathlib import Path

from isda_seg.paper.series.arm import parse_arms
from isda_seg.paper.series.processes import add_devices, make_slots
from isda_seg.run import task_of
from isda_seg.runtime.arguments import add_out, add_work_dir, check_writable, result_file
from isda_seg.runtime.config_keys import add_cfg_options
from isda_seg.runtime.outputs import check_folder
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

TOOLS = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('plain', metavar='baseline', help='baseline arm')
    parser.add_argument('isda', nargs='+', help='arms to compare with the baseline')
    parser.add_argument('--seeds', nargs='+', type=int, required=True, help='seeds; one run per arm and seed')
    parser.add_argument('--protocols', nargs='+',
                        help='test protocols of tools/test.py; default single ms ms-flip, for other tasks single')
    parser.add_argument('--logit-adjustment', nargs='+', type=float, default=[], metavar='TAU',
                        help='also test every training with these tau, and plot the main measure over tau')
    parser.add_argument('--jobs', type=int, default=2, help='number of concurrent runs; default %(default)s')
    add_devices(parser)
    add_work_dir(parser, 'work_dirs/paired', 'work_dirs/paired')
    add_out(parser, '<work-dir>/<first ISDA arm>.json')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision, as with train.py --amp')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    arms = parse_arms([args.plain, *args.isda])
    if len(set(args.seeds)) < len(args.seeds):
        sys.exit('--seeds contains duplicates. Give each seed once')
    from isda_seg.paper.series.paired_report import paired_table
    from isda_seg.paper.series.paired_series import compared, draw_series, paired_runs
    from isda_seg.paper.series.tau_figure import over_tau
    from isda_seg.paper.series.training_runs import files_of, run_series
    from isda_seg.runtime.amp import enable_amp
    runs = paired_runs(arms, args.seeds, args.cfg_options or {})
    inputs = [*(arm.config for arm in arms), *(run.cfg for run in runs), *files_of(runs, args.work_dir)]
    check_folder('--work-dir', args.work_dir, inputs, only_outputs=False)
    out = result_file(args.out, Path(args.work_dir, f'{arms[1].folder}.json'), inputs,
                      ['.png', '_curves.png', '_tau.png'])
    check_writable(args.work_dir)
    if args.amp:
        for run in runs:
            enable_amp(run.cfg)
    protocols = args.protocols or task_of(runs[0].cfg).protocols
    results = run_series(runs, args.work_dir, TOOLS, protocols, make_slots(args.jobs, args.gpus, args.gpus_per_run),
                         taus=[*(arm.tau for arm in arms), *args.logit_adjustment])
    paired = dict(provenance(), kind='paired', plain=args.plain, isda=args.isda, seeds=args.seeds,
                  options=args.cfg_options or {}, amp=args.amp, **compared(arms, results, args.seeds),
                  **(dict(over_tau=over_tau(arms, results, args.seeds)) if args.logit_adjustment else {}))
    write_json(out, paired)
    figures = draw_series(paired, out)
    print(paired_table(paired))
    print(f'wrote {", ".join(map(str, [out, *figures]))}')


if __name__ == '__main__':
    run_main(main, 'stopped; run the same command to resume')
