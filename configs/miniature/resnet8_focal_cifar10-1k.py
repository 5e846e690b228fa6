"""A ResNet of eight layers on 1,000 images of CIFAR-10 with the softmax focal loss (Table 5).

Run:       python tools/train.py configs/miniature/resnet8_focal_cifar10-1k.py
With ISDA: resnet8_focal_isda_cifar10-1k.py
Result:    51.30 ± 0.65 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
model = dict(loss=dict(type='isda_seg.losses.SoftmaxFocalLoss', gamma=0.5, loss_weight=0.5))
