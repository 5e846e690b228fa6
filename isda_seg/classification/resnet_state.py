"""Architecture of a ResNet from a state dict with torchvision's names."""
from typing import Any, NamedTuple

from torch import Tensor

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
