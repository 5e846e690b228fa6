"""Export a trained backbone: python tools/export_backbone.py CHECKPOINT --to mmseg|mmdet|torchvision

Accepts classification checkpoints of tools/train.py and the authors' released checkpoints. Prints the dropped keys, the
verification of the export and the configs that accept it.
"""
import argparse
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from isda_seg import compat
from isda_seg.classification.conversion import Architecture, Export, export
from isda_seg.runtime.arguments import add_checkpoint, add_out, result_file
from isda_seg.runtime.user_errors import run_main

KEYS = {'mmseg': 'model.pretrained', 'mmdet': 'model.backbone.init_cfg.checkpoint'}
DETECTORS = ('coco', 'coco256')  # folders
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_checkpoint(parser)
    parser.add_argument('--to', required=True, choices=['mmseg', 'mmdet', 'torchvision'],
                        help='library whose key names the weights receive')
    add_out(parser, 'CHECKPOINT with _<library> added to its name')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    compat.prepare()
    checkpoint = Path(args.checkpoint)
    out = result_file(args.out, checkpoint.with_stem(f'{checkpoint.stem}_{args.to}'), [checkpoint])
    found = export(checkpoint, out, args.to)
    print(f'wrote {out}: {found.architecture.kind}-{found.architecture.depth}, {found.keys} keys')
    print(f'dropped: {", ".join(found.dropped) or "nothing"}')
    print(f'checked with {found.checked_with}: all weights are present, with the expected shapes')
    if args.to in KEYS:
        report(found, out, args.to)


def report(found: Export, out: Path, target: str) -> None:
    """Print the configs that accept the file and the options they need."""
    kind, depth = found.architecture.kind, found.architecture.depth
    what = 'detection' if target == 'mmdet' else 'segmentation'
    print(f'It has a {"deep" if found.architecture.deep_stem else "plain"} stem. Add --cfg-options '
          f'{KEYS[target]}={out} to a {what} config whose backbone is a {kind} of depth {depth}.')
    if target == 'mmdet':
        try:
            compat.require_detection()
        except ImportError as error:
            print(f'configs/coco is not compared with it: {error}')
            return
    paths = [path for path in sorted(CONFIGS.glob('*/*.py'))
             if path.parent.name != '_base_' and (path.parent.name in DETECTORS) == (target == 'mmdet')]
    as_they_are, changed = accepting(found.architecture, paths)
    ways = [('as they are', as_they_are)]
    if target == 'mmseg':
        ways.append((f'with model.backbone.type={kind} too', changed))
    for how, configs in ways:
        print(f'{how}: ' + (', '.join(f'{path.parent.name}/{path.name}' for path in configs) or 'none of configs/'))


def accepting(architecture: Architecture, configs: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the configs that accept the backbone unchanged, and those that need another ``model.backbone.type``.

    The latter have the same depth and width but the other stem: ResNet has a plain stem, ResNetV1c a deep one.
    """
    as_they_are, changed = [], []
    for path in configs:
        backbone = Config.fromfile(path).get('model', {}).get('backbone', {})
        same = (backbone.get('depth'), backbone.get('stem_channels', 64), backbone.get('base_channels', 64)) == (
            architecture.depth, architecture.stem_channels, architecture.base_channels)
        if not same or backbone.type not in ('ResNet', 'ResNetV1c', 'ResNeXt'):
            continue
        if backbone.type == architecture.kind:
            as_they_are.append(path)
        elif architecture.groups == 1 and backbone.type != 'ResNeXt':
            changed.append(path)
    return as_they_are, changed


if __name__ == '__main__':
    run_main(main)
