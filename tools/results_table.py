"""Generate the tables and Result lines from configs/results/*.json: python tools/results_table.py [--check]"""
import argparse
import sys
from pathlib import Path

from isda_seg.analysis.tables.results import generate

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing; fail if a file is not current')
    args = parser.parse_args()
    stale = [(path, text) for path, text in generate(ROOT).items() if path.read_text() != text]
    for path, text in stale:
        print(('not current: ' if args.check else 'wrote ') + str(path.relative_to(ROOT)))
        if not args.check:
            path.write_text(text)
    if args.check and stale:
        sys.exit(1)


if __name__ == '__main__':
    main()
