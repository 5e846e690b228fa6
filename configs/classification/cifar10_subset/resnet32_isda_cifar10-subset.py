"""ResNet-32 + ISDA on a CIFAR-10 subset (re-encoded), 8 epochs.

Run:       python tools/train.py configs/classification/cifar10_subset/resnet32_isda_cifar10-subset.py
Baseline:  resnet32_cifar10-subset.py; same seed, only the keys below differ
Table 8:   the other rows, by --cfg-options
           default_hooks.isda.covariance=identity
           default_hooks.isda.covariance=diagonal
           default_hooks.isda.covariance=shared
           default_hooks.isda.ramp=constant
Result:    36.83 ± 1.20 % top-1 error, 36.83 ± 1.07 % mean of the last epochs (mean ± sd, seeds 0-4)
"""
_base_ = './resnet32_cifar10-subset.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
