"""VAT with a ResNet of eight layers: 250 labels among 2,000 images of CIFAR-10, two minutes on one core.

Run:       python tools/train.py configs/miniature/resnet8_vat_cifar10-250.py
With ISDA: resnet8_vat_isda_cifar10-250.py
Result:    66.29 ± 0.63 % top-1 error (mean ± sd, seeds 0-7)
"""
_base_ = [
    '../_base_/models/semi_classifier.py', '../_base_/datasets/semi_cifar10_250.py',
    '../_base_/schedules/sgd_60e.py', '../_base_/classification_runtime.py',
]
model = dict(
    backbone=dict(type='ResNetCifar', depth=8, first_stride=2), num_classes=10, method=dict(type='VAT', epsilon=8.0))
train_cfg = dict(max_epochs=16)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=2, convert_to_iter_based=True),
]
