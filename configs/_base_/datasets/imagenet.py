"""ImageNet, 224 x 224, the paper's augmentation, error on the validation images; data at $ISDA_SEG_DATA/imagenet."""
custom_imports = dict(imports=['isda_seg.classification'], allow_failed_imports=False)
data_root = '{{$ISDA_SEG_DATA:data}}/imagenet'
data_preprocessor = dict(
    type='ClassificationPreprocessor',
    mean=[123.675, 116.28, 103.53],  # RGB
    std=[58.395, 57.12, 57.375])
train_pipeline = [
    dict(type='RandomResizedCrop', size=224),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackImages'),
]
test_pipeline = [
    dict(type='Resize', scale=(100000, 256), keep_ratio=True, backend='pillow'),  # the short edge becomes 256
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackImages'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ImageFolderDataset', data_root=data_root, split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ImageFolderDataset', data_root=data_root, split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='TopKAccuracy', topk=(1, 5))
test_evaluator = val_evaluator
