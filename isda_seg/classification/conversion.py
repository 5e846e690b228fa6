"""Export of a trained backbone for MMSegmentation, MMDetection or torchvision."""
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor

from isda_seg.core.ops.checks import listed
from isda_seg.runtime.checkpoint import checkpoint_to_convert
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.weights import TRACKED, coverage, weights_in

TARGETS = ('mmseg', 'mmdet', 'torchvision')
State = dict[str, Tensor]
DEPTHS: dict[tuple[bool, tuple[int, ...]], int] = {
    (False, (2, 2, 2, 2)): 18, (False, (3, 4, 6, 3)): 34, (True, (3, 4, 6, 3)): 50, (True, (3, 4, 23, 3)): 101,
    (True, (3, 8, 36, 3)): 152}


class Architecture(NamedTuple):
    """Architecture of a ResNet or ResNeXt for ImageNet."""
    depth: int
    deep_stem: bool         # three 3x3 convolutions (ResNetV1c) instead of one 7x7
    stem_channels: int
    base_channels: int
    groups: int
    base_width: int

    @property
    def kind(self) -> str:
        """Backbone type in MMSegmentation and MMDetection."""
        return 'ResNetV1c' if self.deep_stem else 'ResNeXt' if self.groups > 1 else 'ResNet'

    @property
    def config(self) -> dict[str, Any]:
        """Config of the backbone with stride 32 and all four maps."""
        resnext = dict(groups=self.groups, base_width=self.base_width) if self.groups > 1 else {}
        return dict(type=self.kind, depth=self.depth, stem_channels=self.stem_channels,
                    base_channels=self.base_channels, out_indices=(0, 1, 2, 3), **resnext)


def read_architecture(state: State) -> Architecture | None:
    """Infer the architecture from the weights; return None for any other network."""
    blocks = tuple(sum(f'layer{stage}.{block}.conv1.weight' in state for block in range(100)) for stage in (1, 2, 3, 4))
    depth = DEPTHS.get(('layer1.0.conv3.weight' in state, blocks))
    stem = next((state[name] for name in ('stem.6.weight', 'conv1.weight') if name in state), None)
    if depth is None or stem is None:
        return None
    conv2 = state['layer1.0.conv2.weight']
    groups = conv2.shape[0] // conv2.shape[1] if depth > 34 else 1
    outputs = state['layer1.0.conv3.weight'].shape[0] // 4 if depth > 34 else conv2.shape[0]
    return Architecture(depth, 'stem.6.weight' in state, stem.shape[0], outputs, groups, conv2.shape[1])


class Export(NamedTuple):
    """Description of an exported file."""
    architecture: Architecture
    keys: int
    dropped: list[str]
    checked_with: str  # the network whose weights the file covers


def export(checkpoint: str | Path, out: str | Path, target: str) -> Export:
    """Convert a checkpoint whose weights cover the target's network, with all names and shapes, into the file ``out``.

    It is that of an ``ImageClassifier`` with a ResNet or ResNeXt of MMSegmentation, or a file with torchvision's keys
    as the authors released them. The target 'torchvision' keeps the last layer.
    """
    if target not in TARGETS:
        raise ValueError(f'unknown target {target!r}. Choose from {TARGETS}')
    backbone, others = split(checkpoint_to_convert(checkpoint, out))
    broken = [key for key, value in backbone.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ValueError(f'{checkpoint} has weights that are not finite ({listed(broken, 1)}). The training '
                         'diverged; use an earlier checkpoint')
    architecture = read_architecture(backbone)
    wanted, name = build(architecture, target)
    _require_same(checkpoint, wanted, backbone, architecture)
    assert architecture is not None
    backbone.update({key: value for key, value in wanted.items() if key.endswith(TRACKED) and key not in backbone})
    kept = {key: value for key, value in others.items() if target == 'torchvision' and key in ('fc.weight', 'fc.bias')}
    if target == 'torchvision' and architecture.deep_stem:
        raise ValueError(f'{checkpoint} has a deep stem (ResNetV1c), which torchvision does not support. Choose '
                         'mmseg or mmdet')
    state = {**{key: backbone[key] for key in wanted}, **kept}
    meta = dict(source=Path(checkpoint).name, architecture=architecture._asdict())
    with written_aside(Path(out)) as aside:
        torch.save(state if target == 'torchvision' else dict(meta=meta, state_dict=state), aside)
    return Export(architecture, len(state), sorted(others.keys() - kept.keys()), name)


def split(checkpoint: dict[str, Any]) -> tuple[State, State]:
    """Return the backbone's weights under torchvision's names, and all other entries."""
    state = weights_in(checkpoint)
    own = any(key.startswith('backbone.') for key in state)
    backbone = {key.removeprefix('backbone.'): value for key, value in state.items()
                if (key.startswith('backbone.') if own else not key.startswith('fc.'))}
    others = {key: value for key, value in state.items() if key.removeprefix('backbone.') not in backbone}
    return backbone, others


def build(architecture: Architecture | None, target: str) -> tuple[State, str]:
    """Return state dict and name of the network that will load the file; MMSegmentation's if mmdet is missing."""
    scope = 'mmdet' if target == 'mmdet' and _has_mmdet() else 'mmseg'
    config = dict(type='ResNet', depth=50) if architecture is None else architecture.config
    kind = f'{scope}.{config["type"]}'
    if scope == 'mmdet' and config['type'] == 'ResNetV1c':  # not a registered type in MMDetection
        config, kind = dict(config, deep_stem=True), 'mmdet.ResNet'
    return MODELS.build(dict(config, type=kind)).state_dict(), f'{kind}-{config["depth"]}'


def _has_mmdet() -> bool:
    try:
        import mmdet.models  # noqa: F401
    except Exception:  # not installed, or without the compiled operators it needs
        return False
    return True


def _require_same(checkpoint: str | Path, wanted: State, found: State, architecture: Architecture | None) -> None:
    covers = coverage(wanted, found, whole=True)
    if not covers.full:
        name = ('a ResNet or ResNeXt for ImageNet (compared with ResNet-50)' if architecture is None
                else f'{architecture.kind}-{architecture.depth}')
        raise ValueError(f'{checkpoint} is not {name}: {covers}')
