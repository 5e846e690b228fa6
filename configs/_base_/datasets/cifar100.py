"""CIFAR-100, the paper's augmentation: reflect pad 4, crop 32, flip; data at $ISDA_SEG_DATA/cifar100."""
custom_imports = dict(imports=['isda_seg.classification'], allow_failed_imports=False)
data_root = '{{$ISDA_SEG_DATA:data}}/cifar100'
data_preprocessor = dict(
    type='ClassificationPreprocessor',
    mean=[129.30, 124.07, 112.43],  # RGB
    std=[68.17, 65.39, 70.42])
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
    dataset=dict(type='CIFARDataset', num_classes=100, data_root=data_root, split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=128,
    num_workers=2,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CIFARDataset', num_classes=100, data_root=data_root, split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='TopKAccuracy')
test_evaluator = val_evaluator
