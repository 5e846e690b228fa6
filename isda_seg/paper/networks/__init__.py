"""Networks of Tables 1-4 in addition to ``ResNetCifar``, registered in MMEngine's root MODELS."""
from isda_seg.paper.networks.densenet import DenseNetCifar, DenseNetImageNet
from isda_seg.paper.networks.resnext_cifar import ResNeXtCifar
from isda_seg.paper.networks.se_resnet_cifar import SEResNetCifar
from isda_seg.paper.networks.shake_shake import ShakeShake
from isda_seg.paper.networks.wide_resnet import WideResNet

__all__ = ['DenseNetCifar', 'DenseNetImageNet', 'ResNeXtCifar', 'SEResNetCifar', 'ShakeShake', 'WideResNet']
