"""A ResNet of eight layers on 1,000 images of CIFAR-10 with label smoothing (Table 5).

Run:       python tools/train.py configs/miniature/resnet8_label-smoothing_cifar10-1k.py
With ISDA: resnet8_label-smoothing_isda_cifar10-1k.py
Result:    50.83 ± 0.71 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
model = dict(loss=dict(type='torch.nn.CrossEntropyLoss', label_smoothing=0.05))
