"""SE-ResNet-110 + ISDA on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/se-resnet110_isda_cifar10.py
Baseline:  se-resnet110_cifar10.py; same seed, only the keys below differ
Paper:     5.96 % top-1 error
Result:    not yet run
"""
_base_ = './se-resnet110_cifar10.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
