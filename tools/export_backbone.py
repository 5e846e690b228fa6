"""A trained backbone for other programs: python tools/export_backbone.py CHECKPOINT OUT --to mmseg|mmdet|torchvision

Takes checkpoints of tools/train.py (classification) and the authors' released ones. Says what was dropped, how it was
checked, and which segmentation configs accept it.
"""
import argparse
import sys
from pathlib import Path

from isda_seg import compat
from isda_seg.classification.accepting import accepting
from isda_seg.classification.export import Export, export

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint')
    parser.add_argument('out')
    parser.add_argument('--to', required=True, choices=['mmseg', 'mmdet', 'torchvision'])
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    compat.prepare()
    found = export(args.checkpoint, args.out, args.to)
    print(f'wrote {args.out}: {found.architecture.kind}-{found.architecture.depth}, {found.keys} keys')
    print(f'dropped: {", ".join(found.dropped) or "nothing"}')
    print(f'checked with {found.checked_with}: every key covered, features differ by {found.error:.1g} of the largest')
    if args.to == 'mmseg':
        report(found, args.out)


def report(found: Export, out: str) -> None:
    """Which configs here take the file, and how."""
    stem = 'deep' if found.architecture.deep_stem else 'plain'
    print(f'It has a {stem} stem: a segmentation config takes it with --cfg-options model.pretrained={out} where its '
          f'backbone is a {found.architecture.kind} of depth {found.architecture.depth}.')
    paths = [path for path in sorted(CONFIGS.glob('*/*.py')) if path.parent.name not in ('_base_', 'classification')]
    as_they_are, changed = accepting(found.architecture, paths)
    for what, configs in (('as they are', as_they_are),
                          (f'with model.backbone.type={found.architecture.kind} too', changed)):
        print(f'{what}: ' + (', '.join(f'{path.parent.name}/{path.name}' for path in configs) or 'none of configs/'))


if __name__ == '__main__':
    sys.exit(main())
