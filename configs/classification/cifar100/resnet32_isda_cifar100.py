"""ResNet-32 + ISDA on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/resnet32_isda_cifar100.py
Baseline:  resnet32_cifar100.py; same seed, only the keys below differ
Paper:     30.27 % top-1 error
Result:    not yet run
"""
_base_ = './resnet32_cifar100.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
