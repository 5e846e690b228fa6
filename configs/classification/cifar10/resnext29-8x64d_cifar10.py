"""ResNeXt-29, 8x64d on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/resnext29-8x64d_cifar10.py
With ISDA: resnext29-8x64d_isda_cifar10.py
Paper:     3.86 % top-1 error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/cifar10.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks'])
model = dict(
    backbone=dict(type='ResNeXtCifar', depth=29, groups=8, base_width=64),
    num_classes=10)
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.05, weight_decay=0.0005))
param_scheduler = [dict(type='MultiStepLR', milestones=[150, 225, 300], gamma=0.1)]
train_cfg = dict(max_epochs=350)
