"""Wide-ResNet-28-10 + ISDA on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/wrn28-10_isda_cifar100.py
Baseline:  wrn28-10_cifar100.py; same seed, only the keys below differ
Paper:     17.98 % top-1 error
Table 8:   the other rows, by --cfg-options
           default_hooks.isda.covariance=identity  18.53 % top-1 error
           default_hooks.isda.covariance=diagonal  18.23 % top-1 error
           default_hooks.isda.covariance=shared    18.29 % top-1 error
           default_hooks.isda.ramp=constant        18.33 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cifar100.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
