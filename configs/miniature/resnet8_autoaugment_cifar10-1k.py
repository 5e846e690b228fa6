"""A ResNet of eight layers on 1,000 images of CIFAR-10 with AutoAugment.

Run:       python tools/train.py configs/miniature/resnet8_autoaugment_cifar10-1k.py
With ISDA: resnet8_autoaugment_isda_cifar10-1k.py
Result:    not yet run
"""
_base_ = './resnet8_cifar10-1k.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.policies'])
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=4),
    dict(type='RandomFlip', prob=0.5),
    dict(type='AutoAugment'),
    dict(type='Cutout', length=16),
    dict(type='PackImages'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
