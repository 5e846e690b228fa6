"""Wide-ResNet-28-10 + ISDA on CIFAR-100 with Cutout (Table 4).

Run:       python tools/train.py configs/classification/cifar100/wrn28-10_cutout_isda_cifar100.py
Baseline:  wrn28-10_cutout_cifar100.py; same seed, only the keys below differ
Paper:     16.95 % top-1 error
Table 8:   the other rows, by --cfg-options
           default_hooks.isda.covariance=identity  17.83 % top-1 error
           default_hooks.isda.covariance=diagonal  17.54 % top-1 error
           default_hooks.isda.covariance=shared    18.12 % top-1 error
           default_hooks.isda.ramp=constant        17.34 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cutout_cifar100.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
