"""Wide-ResNet-28-10 + ISDA on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/wrn28-10_isda_cifar100.py
Baseline:  wrn28-10_cifar100.py; same seed, only the keys below differ
Paper:     17.98 % top-1 error
Table 8:   the other rows, by --cfg-options
           model.loss.covariance=identity    18.53 % top-1 error
           model.loss.covariance=diagonal    18.23 % top-1 error
           model.loss.covariance=shared      18.29 % top-1 error
           default_hooks.isda.ramp=constant  18.33 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cifar100.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.classification'], allow_failed_imports=False)
model = dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'))
default_hooks = dict(isda=dict(type='ISDAHook'))
