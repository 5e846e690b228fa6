"""CIFAR-10 at 64 x 64 for networks pretrained on ImageNet: 1,000 training and 5,000 other images for testing."""
_base_ = './cifar10_1k.py'
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])  # RGB, of the pretrained network
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=4),
    dict(type='Resize', scale=(64, 64)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackImages'),
]
test_pipeline = [dict(type='Resize', scale=(64, 64)), dict(type='PackImages')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
