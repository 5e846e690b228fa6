"""A ResNet of eight layers on 2,000 images of CIFAR-10, the first class a hundred times as frequent as the last.

Run:       python tools/train.py configs/miniature/resnet8_cifar10-lt100.py
With ISDA: resnet8_isda_cifar10-lt100.py
Result:    54.81 ± 1.22 % top-1 error (mean ± sd, seeds 200-211) with test.logit_adjustment=0.9
"""
_base_ = './resnet8_cifar10-lt10.py'
train_dataloader = dict(dataset=dict(imbalance=100, n_max=800))
