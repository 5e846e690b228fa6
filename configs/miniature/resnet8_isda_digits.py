"""A ResNet of eight layers + ISDA on scikit-learn's digits.

Run:       python tools/train.py configs/miniature/resnet8_isda_digits.py
Baseline:  resnet8_digits.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './resnet8_digits.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1.0, covariance='full'))
