"""Semi-supervised CIFAR-10, ZCA-whitened (Section 5): reflect pad 2, crop 32, flip; data at $ISDA_SEG_DATA/cifar10.

A batch has 128 labelled and 128 unlabelled images; the config sets the number of labels. The transform is stored in
work_dirs/zca/.
"""
_base_ = './cifar10.py'
custom_imports = dict(imports=['isda_seg.semi', 'isda_seg.paper.semi_cifar'], allow_failed_imports=False)
data_root = '{{$ISDA_SEG_DATA:data}}/cifar10'
data_preprocessor = dict(_delete_=True, type='ClassificationPreprocessor', bgr_to_rgb=False)
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=2),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackImages'),
]
test_pipeline = [dict(type='PackImages')]
train_images = dict(type='CIFARDataset', num_classes=10, data_root=data_root, split='train')
test_images = dict(type='CIFARDataset', num_classes=10, data_root=data_root, split='test')
zca_file = 'work_dirs/zca/cifar10.npz'
train_dataloader = dict(
    sampler=dict(_delete_=True, type='TwoStreamSampler'),
    dataset=dict(
        _delete_=True,
        type='TwoStreamDataset',
        dataset=dict(type='WhitenedDataset', dataset=train_images, file=zca_file),
        pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(
    _delete_=True, type='WhitenedDataset', dataset=test_images, fit_on=train_images, file=zca_file,
    pipeline=test_pipeline))
test_dataloader = val_dataloader
