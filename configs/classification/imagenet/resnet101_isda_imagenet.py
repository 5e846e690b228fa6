"""ResNet-101 + ISDA on ImageNet (Table 1).

Run:       tools/dist_train.sh configs/classification/imagenet/resnet101_isda_imagenet.py 8
Baseline:  resnet101_imagenet.py; same seed, only the keys below differ
Paper:     20.8 % top-1 error
Result:    not yet run
"""
_base_ = './resnet101_imagenet.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=5.0, covariance='diagonal'))
