"""Temporal Ensembling with a ResNet of eight layers: 250 labels among 2,000 images of CIFAR-10.

Run:       python tools/train.py configs/miniature/resnet8_te_cifar10-250.py
With ISDA: resnet8_te_isda_cifar10-250.py
Result:    65.30 ± 0.50 % top-1 error (mean ± sd, seeds 0-7)
"""
_base_ = './resnet8_vat_cifar10-250.py'
model = dict(method=dict(_delete_=True, type='TemporalEnsembling', ramp_epochs=4))
