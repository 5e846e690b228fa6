"""wrn28-10_cutout + ISDA with covariance='shared' on CIFAR-100 (Table 8).

Run:       python tools/train.py configs/classification/cifar100/wrn28-10_cutout_isda-shared.py
Baseline:  wrn28-10_cutout.py; wrn28-10_cutout_isda.py is ISDA as proposed
Paper:     18.12 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cutout_isda.py'
model = dict(loss=dict(covariance='shared'))
