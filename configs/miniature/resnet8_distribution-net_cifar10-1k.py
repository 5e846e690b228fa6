"""A ResNet of eight layers on 1,000 images of CIFAR-10 with DistributionNet (Table 5).

Run:       python tools/train.py configs/miniature/resnet8_distribution-net_cifar10-1k.py
With ISDA: resnet8_distribution-net_isda_cifar10-1k.py
Result:    50.52 ± 0.75 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.robust_losses'])
model = dict(
    loss=dict(type='torch.nn.CrossEntropyLoss', label_smoothing=0.1),
    feature_loss=dict(type='DistributionNetLoss', map_size=4, average=0.5))
