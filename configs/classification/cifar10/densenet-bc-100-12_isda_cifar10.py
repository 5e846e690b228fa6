"""DenseNet-BC-100-12 + ISDA on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/densenet-bc-100-12_isda_cifar10.py
Baseline:  densenet-bc-100-12_cifar10.py; same seed, only the keys below differ
Paper:     4.54 % top-1 error
Result:    not yet run
"""
_base_ = './densenet-bc-100-12_cifar10.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
