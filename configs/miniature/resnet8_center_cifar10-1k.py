"""A ResNet of eight layers on 1,000 images of CIFAR-10 with centre loss (Table 5).

Run:       python tools/train.py configs/miniature/resnet8_center_cifar10-1k.py
With ISDA: resnet8_center_isda_cifar10-1k.py
Result:    49.59 ± 0.75 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.robust_losses'])
model = dict(feature_loss=dict(type='CenterLoss', weight=0.3))
