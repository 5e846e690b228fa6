"""Wide-ResNet-28-10 + ISDA on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/wrn28-10_isda_cifar10.py
Baseline:  wrn28-10_cifar10.py; same seed, only the keys below differ
Paper:     3.58 % top-1 error
Table 8:   the other rows, by --cfg-options
           model.loss.covariance=identity    3.63 % top-1 error
           model.loss.covariance=diagonal    3.70 % top-1 error
           model.loss.covariance=shared      3.67 % top-1 error
           default_hooks.isda.ramp=constant  3.69 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cifar10.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.classification'], allow_failed_imports=False)
model = dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'))
default_hooks = dict(isda=dict(type='ISDAHook'))
