"""MobileNetV2 with its ImageNet weights, fine-tuned on 1,000 images of CIFAR-10 at 64 x 64.

Run:       python tools/train.py configs/miniature/mobilenetv2_finetune_cifar10-1k.py
With ISDA: mobilenetv2_finetune_isda_cifar10-1k.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/image_classifier.py', '../_base_/datasets/cifar10_1k_64x64.py', '../_base_/schedules/sgd_60e.py',
    '../_base_/classification_runtime.py',
]
model = dict(
    backbone=dict(
        type='mmseg.MobileNetV2',
        out_indices=(6, ),
        norm_cfg=dict(type='BN'),
        init_cfg=dict(type='Pretrained', checkpoint='{{$ISDA_SEG_DATA:data}}/weights/mobilenetv2_imagenet_mm.pth')),
    num_classes=10)
optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=15)
