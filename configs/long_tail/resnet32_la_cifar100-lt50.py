"""ResNet-32 with logit-adjusted cross-entropy on long-tailed CIFAR-100, imbalance 50.

Run:       python tools/train.py configs/long_tail/resnet32_la_cifar100-lt50.py
With ISDA: resnet32_la_isda_cifar100-lt50.py
Result:    not yet run
"""
_base_ = './resnet32_cifar100-lt50.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0, covariance='full', logit_adjustment=1.0))
