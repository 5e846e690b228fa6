"""A ResNet of eight layers on 1,000 images of CIFAR-10 with large-margin softmax (Table 5).

Run:       python tools/train.py configs/miniature/resnet8_large-margin_cifar10-1k.py
With ISDA: resnet8_large-margin_isda_cifar10-1k.py
Result:    49.56 ± 1.02 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.robust_losses'])
model = dict(loss=dict(type='LargeMarginLoss', margin=2, gamma=1.7e-4))  # l comes to 1.1 with the last of 960 steps
