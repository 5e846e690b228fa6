"""ResNet-110 + ISDA on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/resnet110_isda_cifar100.py
Baseline:  resnet110_cifar100.py; same seed, only the keys below differ
Paper:     27.57 % top-1 error
Result:    not yet run
"""
_base_ = './resnet110_cifar100.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
