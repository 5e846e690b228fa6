"""Wide-ResNet-28-10 + ISDA on CIFAR-10 with AutoAugment (Table 4).

Run:       python tools/train.py configs/classification/cifar10/wrn28-10_autoaugment_isda_cifar10.py
Baseline:  wrn28-10_autoaugment_cifar10.py; same seed, only the keys below differ
Paper:     2.56 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_autoaugment_cifar10.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
