"""Sweep lambda_0: python tools/benchmarks/sweep.py ISDA --lambda-0 0 1 2.5 5 [--set resolution=label,feature]

ISDA is a config, or a quoted config with options: 'CONFIG train_dataloader.dataset.num_labels=2000'. Every value is
trained once per seed and evaluated on held-out training images, never on the reported validation set. An interrupted
sweep resumes.
"""
import argparse
import ast
import sys
from pathlib import Path
from typing import Any

from isda_seg import compat
from isda_seg.paper.series.arm import parse_arm
from isda_seg.paper.series.processes import add_devices, make_slots
from isda_seg.runtime.arguments import add_out, add_work_dir, check_writable, result_file
from isda_seg.runtime.config_keys import add_cfg_options
from isda_seg.runtime.outputs import check_folder
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

TOOLS = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', metavar='isda', help='ISDA config, optionally quoted with options')
    parser.add_argument('--lambda-0', nargs='+', type=float, required=True, metavar='L',
                        help='values of lambda_0; 0 is the baseline loss')
    parser.add_argument('--set', nargs='+', default=[], metavar='KEY=V1,V2',
                        help='further keys to vary, of the ISDA loss or (with dots) of the config; one curve per '
                             'combination')
    parser.add_argument('--logit-adjustment', nargs='+', type=float, default=[], metavar='TAU',
                        help='also test every run with tau * log prior subtracted from the logits; one curve per tau')
    parser.add_argument('--seeds', nargs='+', type=int, default=[100],
                        help='choose seeds that no reported run uses; several give intervals; default 100')
    parser.add_argument('--held-out', type=float, default=0.25,
                        help='fraction of the training images to hold out; default 0.25')
    parser.add_argument('--jobs', type=int, default=2, help='number of concurrent runs; default %(default)s')
    add_devices(parser)
    add_work_dir(parser, 'work_dirs/sweep/<config name and options>')
    add_out(parser, '<work-dir>/sweep.json')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    arm = parse_arm(args.config)
    work_dir = Path(args.work_dir or Path('work_dirs', 'sweep', arm.folder))
    curves = dict(_key_values(text) for text in args.set)
    from isda_seg.paper.series.measure_names import display_names
    from isda_seg.paper.series.paired import main_measure
    from isda_seg.paper.series.run_options import training_images
    from isda_seg.paper.series.sweep import draw_sweep, summarize, sweep_runs, sweep_table
    from isda_seg.paper.series.training_runs import files_of, run_series
    options = {**(args.cfg_options or {}), **arm.settings}
    cfg = compat.read_config(arm.config)
    runs = sweep_runs(cfg, args.lambda_0, curves, args.seeds, args.held_out, options)
    inputs = [arm.config, cfg, *(run.cfg for run in runs), *files_of(runs, work_dir)]
    check_folder('--work-dir', work_dir, inputs, only_outputs=False)
    out = result_file(args.out, work_dir / 'sweep.json', inputs, ['.png'])
    check_writable(str(work_dir))
    results = run_series(runs, work_dir, TOOLS, ['single'], make_slots(args.jobs, args.gpus, args.gpus_per_run),
                         taus=args.logit_adjustment)
    sweep = dict(kind='sweep', config=args.config, held_out=args.held_out,
                 images=training_images(runs[0].cfg), options=args.cfg_options or {},
                 measure=display_names(main_measure(results.values())).measure,
                 curves=summarize(results, args.lambda_0, curves, args.seeds, args.logit_adjustment), runs=results,
                 seeds=args.seeds, **provenance(args.seeds[0]))
    write_json(out, sweep)
    draw_sweep(sweep, out.with_suffix('.png'))
    print(sweep_table(sweep))
    print(f'wrote {out} and {out.with_suffix(".png")}')


def _key_values(text: str) -> tuple[str, list[Any]]:
    key, equals, values = text.partition('=')
    if not equals or not all(values.split(',')):
        sys.exit(f'--set takes KEY=VALUE[,VALUE...], got {text!r}')
    return key, [_value(value) for value in values.split(',')]


def _value(text: str) -> Any:
    """Parse a Python literal; return any other text unchanged."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == '__main__':
    run_main(main, 'stopped; run the same command to resume')
