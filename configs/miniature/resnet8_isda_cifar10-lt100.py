"""A ResNet of eight layers + ISDA on 2,000 images of CIFAR-10, the first class a hundred times as frequent as the last.

Run:       python tools/train.py configs/miniature/resnet8_isda_cifar10-lt100.py
Baseline:  resnet8_cifar10-lt100.py; same seed, only the keys below differ
Result:    54.56 ± 0.79 % top-1 error (mean ± sd, seeds 200-211) with test.logit_adjustment=0.9
"""
_base_ = './resnet8_cifar10-lt100.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1.0, covariance='full'))
