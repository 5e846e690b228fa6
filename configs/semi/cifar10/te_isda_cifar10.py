"""Temporal Ensembling + ISDA on CIFAR-10 with 1,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/te_isda_cifar10.py
Baseline:  te_cifar10.py; same seed, only the keys below differ
Paper:     22.77 % test error
Table 6:   the other rows, by --cfg-options
           train_dataloader.dataset.num_labels=2000  14.98 % test error
           train_dataloader.dataset.num_labels=4000  11.25 % test error
Result:    not yet run
"""
_base_ = './te_cifar10.py'
model = dict(eta_1=1.0)
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
