"""Semi-supervised SVHN, standardised images (Section 5): reflect pad 2, crop 32; data at $ISDA_SEG_DATA/svhn.

A batch has 128 labelled and 128 unlabelled images; the config sets the number of labels.
"""
_base_ = './svhn.py'
custom_imports = dict(imports=['isda_seg.semi', 'isda_seg.paper.semi_cifar'], allow_failed_imports=False)
data_root = '{{$ISDA_SEG_DATA:data}}/svhn'
data_preprocessor = dict(_delete_=True, type='ClassificationPreprocessor', bgr_to_rgb=False)
train_pipeline = [
    dict(type='StandardizeImage'),
    dict(type='RandomReflectCrop', size=32, padding=2),
    dict(type='PackImages'),
]
test_pipeline = [dict(type='StandardizeImage'), dict(type='PackImages')]
train_dataloader = dict(
    sampler=dict(_delete_=True, type='TwoStreamSampler'),
    dataset=dict(
        _delete_=True,
        type='TwoStreamDataset',
        dataset=dict(type='SVHNDataset', data_root=data_root, split='train'),
        pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
