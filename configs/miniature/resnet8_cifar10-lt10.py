"""A ResNet of eight layers on 2,000 images of CIFAR-10, the first class ten times as frequent as the last.

Run:       python tools/train.py configs/miniature/resnet8_cifar10-lt10.py
With ISDA: resnet8_isda_cifar10-lt10.py
Result:    44.41 ± 0.90 % top-1 error (mean ± sd, seeds 200-211) with test.logit_adjustment=0.9
"""
_base_ = [
    '../_base_/models/image_classifier.py', '../_base_/datasets/cifar10_long_tail.py', '../_base_/schedules/sgd_60e.py',
    '../_base_/classification_runtime.py',
]
model = dict(backbone=dict(type='ResNetCifar', depth=8, first_stride=2), num_classes=10)
train_dataloader = dict(dataset=dict(imbalance=10, n_max=500))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))  # with more, and in fewer epochs, it does not fit its images
train_cfg = dict(max_epochs=120)
