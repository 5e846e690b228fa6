"""CIFAR-100, the paper's augmentation: reflect pad 4, crop 32, flip; data at $ISDA_SEG_DATA/cifar100."""
_base_ = './cifar10.py'
data_root = '{{$ISDA_SEG_DATA:data}}/cifar100'
data_preprocessor = dict(
    mean=[129.30, 124.07, 112.43],  # RGB
    std=[68.17, 65.39, 70.42])
train_dataloader = dict(dataset=dict(num_classes=100, data_root=data_root))
val_dataloader = dict(dataset=dict(num_classes=100, data_root=data_root))
test_dataloader = val_dataloader
