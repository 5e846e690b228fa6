"""ResNet-32 + ISDA with logit adjustment on long-tailed CIFAR-100, the first class 10 times as frequent as the last.

Run:       python tools/train.py configs/long_tail/resnet32_la_isda_cifar100-lt10.py
Baseline:  resnet32_la_cifar100-lt10.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './resnet32_la_cifar100-lt10.py'
default_hooks = dict(isda=dict(lambda_0=0.5))
