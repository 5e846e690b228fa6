"""A ResNet of eight layers on 1,000 images of CIFAR-10: half a minute on one core, and it fits its data.

Run:       python tools/train.py configs/miniature/resnet8_cifar10-1k.py
With ISDA: resnet8_isda_cifar10-1k.py
Result:    50.49 ± 0.78 % top-1 error (mean ± sd, seeds 0-7, 10-27)
"""
_base_ = [
    '../_base_/models/image_classifier.py', '../_base_/datasets/cifar10_1k.py', '../_base_/schedules/sgd_60e.py',
    '../_base_/classification_runtime.py',
]
model = dict(backbone=dict(type='ResNetCifar', depth=8, first_stride=2), num_classes=10)
