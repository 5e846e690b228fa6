"""Shake-Shake (26, 2x112d) on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/shake-shake26-2x112d_cifar100.py
With ISDA: shake-shake26-2x112d_isda_cifar100.py
Paper:     17.42 % top-1 error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/cifar100.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks'])
model = dict(
    backbone=dict(type='ShakeShake', depth=26, channels=112),
    num_classes=100)
train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=0.0001))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=1800)]
train_cfg = dict(max_epochs=1800)
