"""Temporal Ensembling on a CIFAR-10 subset (re-encoded) with 1,000 labels.

The archive of 10,000 + 2,000 images is a re-encoded part of CIFAR-10, the network an eighth as wide, with less dropout,
and the schedule one for a CPU: nothing here compares with published numbers. The weight ramps up over a quarter of the
epochs, as there.

Run:       python tools/train.py configs/semi/cifar10_subset/te_cifar10-subset.py
With ISDA: te_isda_cifar10-subset.py
Result:    51.45 ± 0.71 % top-1 error, 52.43 ± 1.88 % mean of the last epochs (mean ± sd, seeds 0, 1, 2)
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_cifar10_subset.py',
    '../../_base_/schedules/semi_4e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    backbone=dict(width=0.125, dropout=0.1),
    num_classes=10,
    method=dict(type='TemporalEnsembling', eta_2=30.0, ramp_epochs=1))
train_dataloader = dict(dataset=dict(num_labels=1000))
