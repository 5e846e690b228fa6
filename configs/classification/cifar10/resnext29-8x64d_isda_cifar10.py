"""ResNeXt-29, 8x64d + ISDA on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/resnext29-8x64d_isda_cifar10.py
Baseline:  resnext29-8x64d_cifar10.py; same seed, only the keys below differ
Paper:     3.67 % top-1 error
Result:    not yet run
"""
_base_ = './resnext29-8x64d_cifar10.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
