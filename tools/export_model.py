"""Export a trained model without ISDA: python tools/export_model.py CHECKPOINT [--out FILE]

Writes the weights under the key names of the baseline model, without statistics, optimizer and schedule. They load
strictly into the baseline model, and without isda_seg installed.
"""
import argparse
from pathlib import Path

from isda_seg.runtime.arguments import add_checkpoint, add_out, result_file
from isda_seg.runtime.user_errors import run_main
from isda_seg.runtime.weights import export_plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_checkpoint(parser)
    add_out(parser, 'CHECKPOINT with _plain added to its name')
    args = parser.parse_args()
    checkpoint = Path(args.checkpoint)
    out = result_file(args.out, checkpoint.with_stem(f'{checkpoint.stem}_plain'), [checkpoint])
    count, dropped = export_plain(checkpoint, out)
    print(f'wrote {out}: {count} tensors, left out {", ".join(dropped) or "nothing"}')


if __name__ == '__main__':
    run_main(main)
