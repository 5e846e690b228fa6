"""A ResNet of eight layers + ISDA on 2,000 images of CIFAR-10, the first class ten times as frequent as the last.

Run:       python tools/train.py configs/miniature/resnet8_isda_cifar10-lt10.py
Baseline:  resnet8_cifar10-lt10.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './resnet8_cifar10-lt10.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1.0, covariance='full'))
