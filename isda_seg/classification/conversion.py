"""Export of a trained backbone for MMSegmentation, MMDetection or torchvision."""
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.registry import MODELS
from torch import nn

from isda_seg.classification.resnet_state import Architecture, State, features, fixed_image, read_architecture
from isda_seg.runtime.checkpoint import checkpoint_to_convert
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.weights import TRACKED, coverage

TARGETS = ('mmseg', 'mmdet', 'torchvision')
TOLERANCE = 1e-5  # maximum feature error on the fixed image, relative to the largest feature


class Export(NamedTuple):
    """Description of an exported file."""
    architecture: Architecture
    keys: int
    dropped: list[str]
    checked_with: str  # the network the file was loaded into
    error: float       # maximum error of its features, relative to the largest


def export(checkpoint: str | Path, out: str | Path, target: str) -> Export:
    """Convert a checkpoint, load the result into the target's network and compare the features.

    Args:
        checkpoint: checkpoint of an ``ImageClassifier`` with a ResNet or ResNeXt of MMSegmentation, or a file with
            torchvision's keys as the authors released them, with or without ``module.``.
        out: path of the file to write; it is created only after all checks have passed.
        target: 'mmseg', 'mmdet' or 'torchvision' (which keeps the last layer).

    Raises:
        FileNotFoundError, ValueError: the checkpoint is missing, damaged, a URL, or has non-finite weights; ``out`` is
            the checkpoint itself; the architecture is not supported (the message lists missing and unexpected keys);
            the target is torchvision and the stem is deep; or the features differ.
    """
    if target not in TARGETS:
        raise ValueError(f'unknown target {target!r}. Choose from {TARGETS}')
    backbone, others = split(checkpoint_to_convert(checkpoint, out))
    broken = [key for key, value in backbone.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ValueError(f'{checkpoint} has weights that are not finite ({broken[0]}'
                         f'{f" and {len(broken) - 1} more" if broken[1:] else ""}). The training diverged; '
                         'use an earlier checkpoint')
    architecture = read_architecture(backbone)
    network, name = build(architecture, target)
    wanted = network.state_dict()
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
        error = _difference(backbone, aside, network)
        if not error <= TOLERANCE:
            raise ValueError(f'the features of {name} loaded from {out} differ from those of {checkpoint} by '
                             f'{error:.3g} of the largest feature, tolerance {TOLERANCE:g}')
    return Export(architecture, len(state), sorted(others.keys() - kept.keys()), name, error)


def split(checkpoint: dict[str, Any]) -> tuple[State, State]:
    """Return the backbone's weights under torchvision's names, and all other entries."""
    state = checkpoint.get('state_dict', checkpoint)
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    own = any(key.startswith('backbone.') for key in state)
    backbone = {key.removeprefix('backbone.'): value for key, value in state.items()
                if (key.startswith('backbone.') if own else not key.startswith('fc.'))}
    others = {key: value for key, value in state.items() if key.removeprefix('backbone.') not in backbone}
    return backbone, others


def build(architecture: Architecture | None, target: str) -> tuple[nn.Module, str]:
    """Build the network that will load the file, with stride 32; MMSegmentation's if the target is not installed."""
    scope = 'mmdet' if target == 'mmdet' and _has_mmdet() else 'mmseg'
    config = dict(type='ResNet', depth=50) if architecture is None else architecture.config
    kind = f'{scope}.{config["type"]}'
    if scope == 'mmdet' and config['type'] == 'ResNetV1c':  # not a registered type in MMDetection
        config, kind = dict(config, deep_stem=True), 'mmdet.ResNet'
    network = MODELS.build(dict(config, type=kind)).double()
    network.eval()  # a separate statement: MMSegmentation's backbones return None
    return network, f'{kind}-{config["depth"]}'


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


@torch.no_grad()
def _difference(source: State, written: Path, network: nn.Module) -> float:
    """Return the largest difference of the last map in float64, relative to the largest feature."""
    state = torch.load(written, map_location='cpu', weights_only=True)
    network.load_state_dict({key: value for key, value in state.get('state_dict', state).items()
                             if not key.startswith('fc.')})
    expected = features({key: value.double() for key, value in source.items()}, fixed_image())
    return float((network(fixed_image())[-1] - expected).abs().max() / expected.abs().max())
