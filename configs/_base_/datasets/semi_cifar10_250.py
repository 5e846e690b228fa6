"""2,000 images of CIFAR-10, 250 of them labelled, tested on 5,000 others; normalised as usual, nothing to prepare."""
_base_ = './cifar10_1k.py'
custom_imports = dict(imports=['isda_seg.semi'], allow_failed_imports=False)
train_images = dict(
    type='CIFARDataset', num_classes=10, data_root='{{$ISDA_SEG_DATA:data}}/cifar10', split='train_rest', holdout=5000,
    indices=2000)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='TwoStreamSampler'),
    dataset=dict(
        _delete_=True, type='TwoStreamDataset', dataset=train_images, num_labels=250,
        pipeline=_base_.train_pipeline))
