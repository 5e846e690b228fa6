"""CIFAR-10, the paper's augmentation: reflect pad 4, crop 32, flip; data at $ISDA_SEG_DATA/cifar10."""
custom_imports = dict(imports=['isda_seg.classification'], allow_failed_imports=False)
data_root = '{{$ISDA_SEG_DATA:data}}/cifar10'
data_preprocessor = dict(
    type='ClassificationPreprocessor',
    mean=[125.31, 122.95, 113.87],  # RGB
    std=[62.99, 62.09, 66.70])
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=4),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackImages'),
]
test_pipeline = [dict(type='PackImages')]
train_dataloader = dict(
    batch_size=128,
    num_workers=2,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CIFARDataset', num_classes=10, data_root=data_root, split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=128,
    num_workers=2,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CIFARDataset', num_classes=10, data_root=data_root, split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='TopKAccuracy')
test_evaluator = val_evaluator
