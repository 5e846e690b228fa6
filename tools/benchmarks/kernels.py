"""Check the GPU kernels without a GPU: compile them for GPUs that are not present, count launches, measure CPU time.

    python tools/benchmarks/kernels.py [--targets sm_80 sm_90 sm_100 gfx942] [--out FILE]

It needs Triton (pip install triton). It prints registers, spilled bytes and atomic operations on floats of each kernel,
the launches of a training call, and its CPU time relative to that with PyTorch operators.
"""
import argparse
import os
import sys
import warnings

import torch

from isda_seg.paper.cost.kernel_report import row_line, section
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

TARGETS = ('sm_80', 'sm_90', 'sm_100', 'gfx942')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--targets', nargs='+', choices=TARGETS, default=TARGETS, help='GPUs; default all')
    parser.add_argument('--rounds', type=int, default=10, help='rounds of 30 timed calls; default %(default)s')
    add_out(parser, 'work_dirs/kernels.json')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    path = result_file(args.out, 'work_dirs/kernels.json')
    from isda_seg.paper.cost import kernel_checks
    torch.set_num_threads(1)
    rows = [row for target in args.targets for row in kernel_checks.compile_all(target)]
    print(*map(row_line, rows), sep='\n')
    launches = {name: dict(kernels=kernel_checks.launches(workload, True),
                           operators=kernel_checks.launches(workload, False))
                for name, workload in kernel_checks.WORKLOADS.items()}
    found = dict(provenance(), kernels=rows, launches=launches, host=kernel_checks.host_times(args.rounds))
    print(section(found))
    write_json(path, found)
    print(f'wrote {path}', file=sys.stderr)


if __name__ == '__main__':
    os.environ.pop('TRITON_INTERPRET', None)
    warnings.filterwarnings('ignore', module='torch')
    run_main(main)
