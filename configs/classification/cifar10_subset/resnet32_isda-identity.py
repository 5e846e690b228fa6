"""resnet32 + ISDA with covariance='identity' on a CIFAR-10 subset (re-encoded) (the shape of Table 8).

Run:       python tools/train.py configs/classification/cifar10_subset/resnet32_isda-identity.py
Baseline:  resnet32.py; resnet32_isda.py is ISDA as proposed
Result:    not yet run
"""
_base_ = './resnet32_isda.py'
model = dict(loss=dict(covariance='identity'))
