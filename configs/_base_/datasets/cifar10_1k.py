"""1,000 training images of CIFAR-10, tested on 5,000 others that no run trains on; in the main process."""
_base_ = './cifar10.py'
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(split='train_rest', holdout=5000, indices=1000))
val_dataloader = dict(
    batch_size=250, num_workers=0, persistent_workers=False, dataset=dict(split='held_out', holdout=5000))
test_dataloader = dict(
    batch_size=250, num_workers=0, persistent_workers=False, dataset=dict(split='held_out', holdout=5000))
