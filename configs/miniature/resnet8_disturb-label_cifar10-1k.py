"""A ResNet of eight layers on 1,000 images of CIFAR-10 with DisturbLabel (Table 5).

Run:       python tools/train.py configs/miniature/resnet8_disturb-label_cifar10-1k.py
With ISDA: resnet8_disturb-label_isda_cifar10-1k.py
Result:    50.94 ± 0.84 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.robust_losses'])
model = dict(loss=dict(type='DisturbLabelLoss', alpha=0.05))
