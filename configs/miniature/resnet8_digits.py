"""A ResNet of eight layers on scikit-learn's digits, 8 x 8, for figures: no download, seconds on one core.

Run:       python tools/train.py configs/miniature/resnet8_digits.py
With ISDA: resnet8_isda_digits.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/image_classifier.py', '../_base_/datasets/digits.py', '../_base_/schedules/sgd_60e.py',
    '../_base_/classification_runtime.py',
]
model = dict(backbone=dict(type='ResNetCifar', depth=8), num_classes=10)
train_cfg = dict(max_epochs=20)
