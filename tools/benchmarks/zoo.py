"""README's diff over every configuration of the installed MMSegmentation: python tools/benchmarks/zoo.py [--out F]

Builds each model, without pretrained weights and with BN for SyncBN, and starts the hook. Prints how many are served,
plain by nature, refused clearly, unclear, or cannot be built here (their operators or packages are not installed), and
every reason given; ends with 1 where one is unclear.
"""
import argparse
import sys
import warnings

from isda_seg.paper.coverage.zoo import UNCLEAR, report, summary, survey, zoo
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_out(parser, 'work_dirs/zoo.json')
    parser.add_argument('--families', nargs='+', metavar='NAME', help='only these folders of configurations')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out = result_file(args.out, 'work_dirs/zoo.json')
    warnings.simplefilter('ignore')
    paths = [path for path in zoo() if not args.families or path.parent.name in args.families]
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
