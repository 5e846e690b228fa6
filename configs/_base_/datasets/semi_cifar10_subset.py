"""CIFAR-10's part for a CPU: as semi_cifar10.py with half the batch, loaded by the process that trains."""
_base_ = './semi_cifar10.py'
zca_file = 'work_dirs/zca/cifar10_subset.npz'
train_dataloader = dict(
    batch_size=64, num_workers=0, persistent_workers=False, dataset=dict(dataset=dict(file=zca_file)))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(file=zca_file))
test_dataloader = val_dataloader
