"""Wide-ResNet-28-10 + ISDA on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/wrn28-10_isda_cifar10.py
Baseline:  wrn28-10_cifar10.py; same seed, only the keys below differ
Paper:     3.58 % top-1 error
Table 8:   the other rows, by --cfg-options
           default_hooks.isda.covariance=identity  3.63 % top-1 error
           default_hooks.isda.covariance=diagonal  3.70 % top-1 error
           default_hooks.isda.covariance=shared    3.67 % top-1 error
           default_hooks.isda.ramp=constant        3.69 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cifar10.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
