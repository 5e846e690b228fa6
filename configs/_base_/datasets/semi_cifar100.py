"""Semi-supervised CIFAR-100, ZCA-whitened (Section 5), as semi_cifar10.py; data at $ISDA_SEG_DATA/cifar100."""
_base_ = './semi_cifar10.py'
data_root = '{{$ISDA_SEG_DATA:data}}/cifar100'
train_images = dict(num_classes=100, data_root=data_root)
test_images = dict(num_classes=100, data_root=data_root)
zca_file = 'work_dirs/zca/cifar100.npz'
train_dataloader = dict(dataset=dict(dataset=dict(dataset=train_images, file=zca_file)))
val_dataloader = dict(dataset=dict(dataset=test_images, fit_on=train_images, file=zca_file))
test_dataloader = val_dataloader
