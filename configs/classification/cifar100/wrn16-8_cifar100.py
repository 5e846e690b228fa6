"""Wide-ResNet-16-8 on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/wrn16-8_cifar100.py
With ISDA: wrn16-8_isda_cifar100.py
Paper:     20.24 % top-1 error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/cifar100.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks'])
model = dict(
    backbone=dict(type='WideResNet', depth=16, width=8),
    num_classes=100)
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=0.0005))
param_scheduler = [dict(type='MultiStepLR', milestones=[60, 120, 160, 200], gamma=0.2)]
train_cfg = dict(max_epochs=240)
