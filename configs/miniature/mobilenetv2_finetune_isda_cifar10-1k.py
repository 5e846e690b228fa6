"""MobileNetV2 with its ImageNet weights + ISDA, fine-tuned on 1,000 images of CIFAR-10 at 64 x 64.

Run:       python tools/train.py configs/miniature/mobilenetv2_finetune_isda_cifar10-1k.py
Baseline:  mobilenetv2_finetune_cifar10-1k.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './mobilenetv2_finetune_cifar10-1k.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))
