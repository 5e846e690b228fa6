"""ResNet-32 + ISDA on a CIFAR-10 subset (re-encoded), 8 epochs.

Run:       python tools/train.py configs/classification/cifar10_subset/resnet32_isda_cifar10-subset.py
Baseline:  resnet32_cifar10-subset.py; same seed, only the keys below differ
Table 8:   the other rows, by --cfg-options
           model.loss.covariance=identity
           model.loss.covariance=diagonal
           model.loss.covariance=shared
           default_hooks.isda.ramp=constant
Result:    36.83 ± 1.20 % top-1 error, 36.83 ± 1.07 % mean of the last epochs (mean ± sd, seeds 0, 1, 2, 3, 4)
"""
_base_ = './resnet32_cifar10-subset.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.classification'], allow_failed_imports=False)
model = dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'))
default_hooks = dict(isda=dict(type='ISDAHook'))
