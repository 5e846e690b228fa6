"""ResNet-32 + ISDA on a CIFAR-10 subset (re-encoded), 8 epochs.

Run:       python tools/train.py configs/classification/cifar10_subset/resnet32_isda.py
Baseline:  resnet32.py; same seed, only the keys below differ
Result:    36.83 ± 1.20 % top-1 error, 36.83 ± 1.07 % mean of the last epochs (mean ± sd, seeds 0, 1, 2, 3, 4)
"""
_base_ = './resnet32.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.classification'], allow_failed_imports=False)
model = dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'))
default_hooks = dict(isda=dict(type='ISDAHook'))
