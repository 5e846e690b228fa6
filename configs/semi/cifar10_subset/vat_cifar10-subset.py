"""VAT on a CIFAR-10 subset (re-encoded) with 1,000 labels.

The archive of 10,000 + 2,000 images is a re-encoded part of CIFAR-10, the network an eighth as wide, with less dropout,
and the schedule one for a CPU: nothing here compares with published numbers. The weight ramps up over a quarter of the
epochs, as there.

Run:       python tools/train.py configs/semi/cifar10_subset/vat_cifar10-subset.py
With ISDA: vat_isda_cifar10-subset.py
Result:    50.20 ± 0.18 % top-1 error, 50.62 ± 0.55 % mean of the last epochs (mean ± sd, seeds 0, 1, 2)
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_cifar10_subset.py',
    '../../_base_/schedules/semi_4e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    backbone=dict(width=0.125, dropout=0.1),
    num_classes=10,
    method=dict(type='VAT', epsilon=8.0))
train_dataloader = dict(dataset=dict(num_labels=1000))
