"""Reproduce a table of the paper: python tools/reproduce.py table7 [--check | --dry-run | --status | --slurm]

Trains and evaluates every row with every seed, then compares the results with the paper's numbers and writes one result
file. Runs in the work directory are reused, also those of other tables. The same command continues after an
interruption. A run that fails is tried once more and then reported, while the others go on.
"""
import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from isda_seg.paper.reproduce.catalogue import catalogue
from isda_seg.runtime.arguments import add_out, add_work_dir, check_writable, result_file
from isda_seg.runtime.config_keys import add_cfg_options
from isda_seg.runtime.outputs import check_folder
from isda_seg.runtime.user_errors import run_main

if TYPE_CHECKING:
    from isda_seg.paper.series.jobs import Job

TOOLS = Path(__file__).resolve().parent
WORK_DIR = 'work_dirs/reproduce'


def parse_args() -> argparse.Namespace:
    from isda_seg.paper.series.processes import add_devices
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('table', choices=catalogue(), help='table or figure of the paper')
    action = parser.add_mutually_exclusive_group()
    action.add_argument('--check', action='store_true', help='report everything that is missing: packages, data, '
                        'weights, disk, GPUs; then train ten steps of each config')
    action.add_argument('--dry-run', action='store_true', help='print the plan: runs, GPU hours, disk space')
    action.add_argument('--status', action='store_true', help='print progress, loss, time left and failures of all '
                        'runs')
    action.add_argument('--collect', action='store_true', help='print the table and write the result file from the '
                        'runs that are complete')
    action.add_argument('--slurm', action='store_true', help='write a script that submits the runs to Slurm')
    action.add_argument('--only', metavar='I/N', help='carry out every N-th run of the plan, beginning with the I-th; '
                        'processes on several machines share a work directory')
    parser.add_argument('--seeds', nargs='+', type=int, help='one run per row and seed; default 0 to 4 for tables '
                        'with five runs in the paper, 0 to 2 for Cityscapes and COCO, 0 for ImageNet')
    parser.add_argument('--jobs', type=int, help='number of concurrent runs; default one per set of GPUs')
    add_devices(parser, None, 'the number for which the configs are written')
    parser.add_argument('--step-time', type=float, metavar='SECONDS', help='seconds per training step, for the GPU '
                        'hours of --dry-run; default as measured by --check')
    add_work_dir(parser, WORK_DIR, WORK_DIR)
    add_out(parser, '<work-dir>/<table>.json')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from isda_seg.paper.reproduce import checks
    table = catalogue()[args.table]
    if args.check and (absent := checks.check_packages(table)):
        folders = checks.check_folders(table, Path(os.environ.get('ISDA_SEG_DATA', 'data')))
        print('\n'.join([*map(str, [*absent, *folders]),
                         'Weights, disk space and GPUs are checked when the packages are installed.']))
        return 1
    from isda_seg.paper.reproduce import actions, dry_run, status
    from isda_seg.paper.reproduce.plan import jobs_of, make_plan
    from isda_seg.paper.series.processes import make_slots, visible_gpus
    from isda_seg.paper.series.training_runs import files_of
    plan = make_plan(args.table, table, Path(args.work_dir), TOOLS.parent, args.seeds, args.cfg_options,
                     args.gpus_per_run)
    ranks = max(planned.ranks for planned in plan.runs)
    slots = partial(make_slots, args.jobs, args.gpus, ranks)
    words = [word for word in sys.argv[1:] if word not in ('--check', '--slurm')]
    if args.status:
        print(status.status_text(plan))
        return 0
    if args.dry_run:
        print(dry_run.plan_text(plan, args.step_time))
        return 0
    runs = [planned.run for planned in plan.runs]
    inputs = [*(run.cfg for run in runs), *files_of(runs, args.work_dir)]
    check_folder('--work-dir', args.work_dir, inputs, only_outputs=False)
    if args.slurm:
        check_writable(args.work_dir)
        actions.write_slurm_script(plan, TOOLS, ranks, words)
        return 0
    if args.check:
        return int(not actions.check(plan, TOOLS, slots, args.gpus, args.gpus_per_run is not None, words))
    out = result_file(args.out, Path(args.work_dir, f'{args.table}.json'), inputs)
    check_writable(args.work_dir)
    if not args.collect:
        if args.gpus_per_run is None and not (visible_gpus() if args.gpus is None else args.gpus):
            sys.exit('No GPU is visible. To train on a CPU anyway, give the number of ranks with --gpus-per-run; for '
                     'Slurm, use --slurm')
        complete = actions.train(plan, select(jobs_of(plan, TOOLS), args.only), slots)
        if args.only:
            return int(not complete)
    return int(not actions.collect(plan, out))


def select(jobs: list['Job'], only: str | None) -> list['Job']:
    """Return the jobs of --only I/N, all without it."""
    if only is None:
        return jobs
    first, slash, number = only.partition('/')
    if not (slash and first.isdecimal() and number.isdecimal() and 1 <= int(first) <= int(number)):
        sys.exit(f'--only takes I/N with I from 1 to N, such as 2/8, got {only!r}')
    return jobs[int(first) - 1::int(number)]


if __name__ == '__main__':
    run_main(main, 'stopped; run the same command to resume')
