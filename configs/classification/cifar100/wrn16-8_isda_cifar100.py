"""Wide-ResNet-16-8 + ISDA on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/wrn16-8_isda_cifar100.py
Baseline:  wrn16-8_cifar100.py; same seed, only the keys below differ
Paper:     19.91 % top-1 error
Result:    not yet run
"""
_base_ = './wrn16-8_cifar100.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
