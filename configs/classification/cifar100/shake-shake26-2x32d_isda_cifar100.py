"""Shake-Shake (26, 2x32d) + ISDA on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/shake-shake26-2x32d_isda_cifar100.py
Baseline:  shake-shake26-2x32d_cifar100.py; same seed, only the keys below differ
Paper:     19.45 % top-1 error
Result:    not yet run
"""
_base_ = './shake-shake26-2x32d_cifar100.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
