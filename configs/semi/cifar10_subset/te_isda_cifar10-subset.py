"""Temporal Ensembling + ISDA on a CIFAR-10 subset (re-encoded) with 1,000 labels.

Run:       python tools/train.py configs/semi/cifar10_subset/te_isda_cifar10-subset.py
Baseline:  te_cifar10-subset.py; same seed, only the keys below differ
Result:    51.55 ± 0.43 % top-1 error, 51.68 ± 1.16 % mean of the last epochs (mean ± sd, seeds 0, 1, 2)
"""
_base_ = './te_cifar10-subset.py'
model = dict(eta_1=1.0)
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
