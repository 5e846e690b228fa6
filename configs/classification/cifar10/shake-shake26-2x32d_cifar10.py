"""Shake-Shake (26, 2x32d) on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/shake-shake26-2x32d_cifar10.py
With ISDA: shake-shake26-2x32d_isda_cifar10.py
Paper:     3.45 % top-1 error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/cifar10.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks'])
model = dict(
    backbone=dict(type='ShakeShake', depth=26, channels=32),
    num_classes=10)
train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=0.0001))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=1800)]
train_cfg = dict(max_epochs=1800)
