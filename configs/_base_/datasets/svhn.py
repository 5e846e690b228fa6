"""SVHN, train and test: reflect pad 4, crop 32; digits are not flipped; data at $ISDA_SEG_DATA/svhn."""
_base_ = './cifar10.py'
data_root = '{{$ISDA_SEG_DATA:data}}/svhn'
data_preprocessor = dict(
    mean=[111.61, 113.16, 120.57],  # RGB
    std=[50.50, 51.26, 50.24])
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=4),
    dict(type='PackImages'),
]
test_pipeline = [dict(type='PackImages')]
train_dataloader = dict(dataset=dict(
    _delete_=True, type='SVHNDataset', data_root=data_root, split='train', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(
    _delete_=True, type='SVHNDataset', data_root=data_root, split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
