"""Which configs of segmenters and detectors can start from an exported backbone."""
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from isda_seg.classification.resnet_state import Architecture


def accepting(architecture: Architecture, configs: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The configs that take it as they are, and those that take it with ``model.backbone.type`` changed.

    A plain stem (ResNet) and a deep one (ResNetV1c) have different weights: a config that has the other one of the same
    depth and width takes the backbone once its type is changed.
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
