"""SE-ResNet-110 on CIFAR-10 (Table 2).

Run:       python tools/train.py configs/classification/cifar10/se-resnet110_cifar10.py
With ISDA: se-resnet110_isda_cifar10.py
Paper:     6.14 % top-1 error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/cifar10.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks'])
model = dict(
    backbone=dict(type='SEResNetCifar', depth=110),
    num_classes=10)
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=0.0001))
param_scheduler = [dict(type='MultiStepLR', milestones=[80, 120, 160], gamma=0.1)]
train_cfg = dict(max_epochs=200)
