"""Configs of the networks in Tables 1-3 by printed name."""
from typing import Any, NamedTuple


class PaperNetwork(NamedTuple):
    """Model config and batch size per GPU."""
    config: dict[str, Any]
    batch: int


CIFAR = {
    'ResNet-32': PaperNetwork(dict(type='ResNetCifar', depth=32), 128),
    'ResNet-110': PaperNetwork(dict(type='ResNetCifar', depth=110), 128),
    'SE-ResNet-110': PaperNetwork(dict(type='SEResNetCifar', depth=110), 128),
    'Wide-ResNet-16-8': PaperNetwork(dict(type='WideResNet', depth=16, width=8), 128),
    'Wide-ResNet-28-10': PaperNetwork(dict(type='WideResNet', depth=28, width=10, dropout=0.3), 128),
    'ResNeXt-29, 8x64d': PaperNetwork(dict(type='ResNeXtCifar', depth=29, groups=8, base_width=64), 128),
    'DenseNet-BC-100-12': PaperNetwork(dict(type='DenseNetCifar', depth=100, growth=12), 64),
    'Shake-Shake (26, 2x32d)': PaperNetwork(dict(type='ShakeShake', depth=26, channels=32), 64),
    'Shake-Shake (26, 2x112d)': PaperNetwork(dict(type='ShakeShake', depth=26, channels=112), 64),
}

# Backbones of MMSegmentation, so that segmentation can load trained weights without renamed keys; initialised as in
# torchvision, which the authors used.
MMSEG = dict(zero_init_residual=False, out_indices=(3,))
IMAGENET = {
    'ResNet-50': PaperNetwork(dict(type='mmseg.ResNet', depth=50, **MMSEG), 64),
    'ResNet-101': PaperNetwork(dict(type='mmseg.ResNet', depth=101, **MMSEG), 64),
    'ResNet-152': PaperNetwork(dict(type='mmseg.ResNet', depth=152, **MMSEG), 64),
    'DenseNet-BC-121': PaperNetwork(dict(type='DenseNetImageNet', depth=121), 64),
    'DenseNet-BC-265': PaperNetwork(dict(type='DenseNetImageNet', depth=265), 64),
    'ResNeXt-50, 32x4d': PaperNetwork(dict(type='mmseg.ResNeXt', depth=50, groups=32, base_width=4, **MMSEG), 64),
    'ResNeXt-101, 32x8d': PaperNetwork(dict(type='mmseg.ResNeXt', depth=101, groups=32, base_width=8, **MMSEG), 64),
}
