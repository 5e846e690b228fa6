"""DenseNet-BC-121 on ImageNet (Table 1).

Run:       tools/dist_train.sh configs/classification/imagenet/densenet-bc-121_imagenet.py 8
With ISDA: densenet-bc-121_isda_imagenet.py
Paper:     23.7 % top-1 error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/imagenet.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks'])
model = dict(
    backbone=dict(type='DenseNetImageNet', depth=121),
    num_classes=1000)
train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=0.0001, nesterov=False))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=300)]
train_cfg = dict(max_epochs=300)
