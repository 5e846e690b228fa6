"""Shake-Shake (26, 2x112d) + ISDA on CIFAR-10 with Cutout (Table 4).

Run:       python tools/train.py configs/classification/cifar10/shake-shake26-2x112d_cutout_isda_cifar10.py
Baseline:  shake-shake26-2x112d_cutout_cifar10.py; same seed, only the keys below differ
Paper:     2.25 % top-1 error
Result:    not yet run
"""
_base_ = './shake-shake26-2x112d_cutout_cifar10.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
