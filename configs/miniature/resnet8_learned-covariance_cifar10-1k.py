"""A ResNet of eight layers on 1,000 images of CIFAR-10, ISDA with covariances that are learned (Fig. 10).

Run:       python tools/train.py configs/miniature/resnet8_learned-covariance_cifar10-1k.py
           model.loss.samples=1 trains it with samples, model.loss.uncertainty=100 model.loss.sigma=0.5 holds the
           covariances up
Baseline:  resnet8_isda_cifar10-1k.py, whose covariances are observed
Result:    50.44 ± 0.58 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.robust_losses'])
model = dict(loss=dict(type='LearnedISDALoss', lambda_0=1.0, num_classes=10, channels=64, warm_up=160))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(factor=dict(decay_mult=0.0))))
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook'))
