"""Networks of Tables 1-4, registered in MMEngine's root MODELS; each returns one feature map."""
from isda_seg.classification.networks.densenet import DenseNetCifar, DenseNetImageNet
from isda_seg.classification.networks.resnet_cifar import ResNetCifar
from isda_seg.classification.networks.resnext_cifar import ResNeXtCifar
from isda_seg.classification.networks.se_resnet_cifar import SEResNetCifar
from isda_seg.classification.networks.shake_shake import ShakeShake
from isda_seg.classification.networks.wide_resnet import WideResNet

__all__ = ['DenseNetCifar', 'DenseNetImageNet', 'ResNeXtCifar', 'ResNetCifar', 'SEResNetCifar', 'ShakeShake',
           'WideResNet']
