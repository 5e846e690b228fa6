"""wrn28-10 + ISDA with covariance='identity' on CIFAR-10 (Table 8).

Run:       python tools/train.py configs/classification/cifar10/wrn28-10_isda-identity.py
Baseline:  wrn28-10.py; wrn28-10_isda.py is ISDA as proposed
Paper:     3.63 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_isda.py'
model = dict(loss=dict(covariance='identity'))
