"""Test ISDA with every config of MMSegmentation or MMDetection: python tools/benchmarks/zoo.py [--package mmdet]

Builds each model without pretrained weights and with BN instead of SyncBN, and runs the hook. Prints the number of
configs per verdict and all messages. Verdicts: wrapped, not wrapped (no loss with a linear softmax classifier), refused
(ValueError), unclear (any other error), not built (missing operators or packages). The exit code is 1 if a verdict is
unclear.
"""
import argparse
import sys
import warnings

from isda_seg.paper.coverage.zoo import PACKAGES, UNCLEAR, report, summary, survey, zoo
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_out(parser, 'work_dirs/zoo.json')
    parser.add_argument('--package', choices=PACKAGES, default=PACKAGES[0],
                        help='MMSegmentation or MMDetection; default %(default)s')
    parser.add_argument('--families', nargs='+', metavar='NAME',
                        help='test only these model families, the folders of the configs')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out = result_file(args.out, 'work_dirs/zoo.json')
    warnings.simplefilter('ignore')
    paths = [path for path in zoo(args.package) if not args.families or path.parent.name in args.families]
    verdicts = {}
    for path, verdict in survey(paths):
        verdicts[f'{path.parent.name}/{path.name}'] = verdict
        print(f'\r{len(verdicts)} of {len(paths)}', end='', file=sys.stderr, flush=True)
    print(file=sys.stderr)
    found = summary(verdicts)
    print(report(found))
    write_json(out, dict(provenance(), kind='zoo', **found))
    sys.exit(1 if found['counts'][UNCLEAR] else 0)


if __name__ == '__main__':
    run_main(main)
