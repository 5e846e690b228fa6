"""ResNet-32 on a CIFAR-10 subset (re-encoded), 8 epochs.

The archive of 10,000 + 2,000 images is a re-encoded part of CIFAR-10: nothing here compares with published numbers.
Sized for a CPU: 1,256 steps of about 0.2 s on one core. Half the batch at half the rate.

Run:       python tools/train.py configs/classification/cifar10_subset/resnet32_cifar10-subset.py
With ISDA: resnet32_isda_cifar10-subset.py
Result:    35.81 ± 1.34 % top-1 error, 35.88 ± 1.41 % mean of the last epochs (mean ± sd, seeds 0-4)
"""
_base_ = '../cifar10/resnet32_cifar10.py'
train_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [dict(type='MultiStepLR', milestones=[4, 6], gamma=0.1)]
train_cfg = dict(max_epochs=8)
default_hooks = dict(last_evaluations=dict(last=2))
