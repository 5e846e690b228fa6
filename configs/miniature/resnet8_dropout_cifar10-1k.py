"""A ResNet of eight layers on 1,000 images of CIFAR-10 with dropout in its blocks (Table 5).

Run:       python tools/train.py configs/miniature/resnet8_dropout_cifar10-1k.py
With ISDA: resnet8_dropout_isda_cifar10-1k.py
Result:    50.22 ± 0.85 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
model = dict(backbone=dict(dropout=0.1))
