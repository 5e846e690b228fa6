"""ResNet-152 + ISDA on ImageNet (Table 1).

Run:       tools/dist_train.sh configs/classification/imagenet/resnet152_isda_imagenet.py 8
Baseline:  resnet152_imagenet.py; same seed, only the keys below differ
Paper:     20.3 % top-1 error
Result:    not yet run
"""
_base_ = './resnet152_imagenet.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5, covariance='diagonal'))
