"""wrn28-10 + ISDA with covariance='diagonal' on CIFAR-100 (Table 8).

Run:       python tools/train.py configs/classification/cifar100/wrn28-10_isda-diagonal.py
Baseline:  wrn28-10.py; wrn28-10_isda.py is ISDA as proposed
Paper:     18.23 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_isda.py'
model = dict(loss=dict(covariance='diagonal'))
