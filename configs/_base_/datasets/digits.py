"""scikit-learn's digits at 8 x 8, shifted by up to one pixel; in the main process, no download."""
custom_imports = dict(imports=['isda_seg.classification'], allow_failed_imports=False)
data_preprocessor = dict(type='ClassificationPreprocessor', mean=[77.8] * 3, std=[95.9] * 3)
train_pipeline = [dict(type='RandomReflectCrop', size=8, padding=1), dict(type='PackImages')]
test_pipeline = [dict(type='PackImages')]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='DigitsDataset', split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=360,
    num_workers=0,
    persistent_workers=False,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DigitsDataset', split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='TopKAccuracy')
test_evaluator = val_evaluator
