"""Mean Teacher + ISDA on CIFAR-10 with 1,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/mt_isda_cifar10.py
Baseline:  mt_cifar10.py; same seed, only the keys below differ
Paper:     17.11 % test error
Table 6:   the other rows, by --cfg-options
           train_dataloader.dataset.num_labels=2000  12.35 % test error
           train_dataloader.dataset.num_labels=4000  9.96 % test error
Result:    not yet run
"""
_base_ = './mt_cifar10.py'
model = dict(eta_1=1.0)
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
