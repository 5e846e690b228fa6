"""DenseNet-BC-100-12 on CIFAR-100 (Table 2).

Run:       python tools/train.py configs/classification/cifar100/densenet-bc-100-12_cifar100.py
With ISDA: densenet-bc-100-12_isda_cifar100.py
Paper:     22.61 % top-1 error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/cifar100.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks'])
model = dict(
    backbone=dict(type='DenseNetCifar', depth=100, growth=12),
    num_classes=100)
train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=0.0001))
param_scheduler = [dict(type='MultiStepLR', milestones=[150, 200, 250], gamma=0.1)]
train_cfg = dict(max_epochs=300)
