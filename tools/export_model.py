"""A trained model without ISDA: python tools/export_model.py CHECKPOINT OUT

Writes the weights under the names that the plain config's model has, without statistics, optimizer and schedule. They
load strictly there, and without isda_seg installed.
"""
import argparse

from isda_seg.runtime.plain_weights import export_plain
from isda_seg.runtime.user_errors import run_main


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint')
    parser.add_argument('out')
    args = parser.parse_args()
    count, dropped = export_plain(args.checkpoint, args.out)
    print(f'wrote {args.out}: {count} tensors, left out {", ".join(dropped) or "nothing"}')


if __name__ == '__main__':
    run_main(main)
