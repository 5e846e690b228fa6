"""Search for segmentation and detection configs that can start from an exported backbone."""
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from isda_seg.classification.resnet_state import Architecture


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
