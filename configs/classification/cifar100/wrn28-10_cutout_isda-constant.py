"""wrn28-10_cutout + ISDA with a constant strength on CIFAR-100 (Table 8).

Run:       python tools/train.py configs/classification/cifar100/wrn28-10_cutout_isda-constant.py
Baseline:  wrn28-10_cutout.py; wrn28-10_cutout_isda.py is ISDA as proposed
Paper:     17.34 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cutout_isda.py'
default_hooks = dict(isda=dict(ramp='constant'))
