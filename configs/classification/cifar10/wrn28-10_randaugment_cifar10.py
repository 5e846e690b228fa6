"""Wide-ResNet-28-10 on CIFAR-10 with RandAugment (Table 4).

Run:       python tools/train.py configs/classification/cifar10/wrn28-10_randaugment_cifar10.py
With ISDA: wrn28-10_randaugment_isda_cifar10.py
Paper:     2.78 % top-1 error
Result:    not yet run
"""
_base_ = './wrn28-10_cifar10.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.networks', 'isda_seg.paper.policies'])
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=4),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandAugment', n=3, m=5),
    dict(type='Cutout', length=16),
    dict(type='PackImages'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
