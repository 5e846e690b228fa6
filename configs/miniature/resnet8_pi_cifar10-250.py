"""The Pi-model with a ResNet of eight layers: 250 labels among 2,000 images of CIFAR-10.

Run:       python tools/train.py configs/miniature/resnet8_pi_cifar10-250.py
With ISDA: resnet8_pi_isda_cifar10-250.py
Result:    65.53 ± 0.91 % top-1 error (mean ± sd, seeds 0-7)
"""
_base_ = './resnet8_vat_cifar10-250.py'
model = dict(method=dict(_delete_=True, type='PiModel', ramp_epochs=4))
train_dataloader = dict(dataset=dict(views=2))
