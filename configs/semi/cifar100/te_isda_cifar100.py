"""Temporal Ensembling + ISDA on CIFAR-100 with 10,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar100/te_isda_cifar100.py
Baseline:  te_cifar100.py; same seed, only the keys below differ
Paper:     40.47 % test error
Table 6:   the other rows, by --cfg-options
           train_dataloader.dataset.num_labels=20000  34.58 % test error
Result:    not yet run
"""
_base_ = './te_cifar100.py'
model = dict(eta_1=1.0)
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
