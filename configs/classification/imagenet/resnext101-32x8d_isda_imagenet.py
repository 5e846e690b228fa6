"""ResNeXt-101, 32x8d + ISDA on ImageNet (Table 1).

Run:       tools/dist_train.sh configs/classification/imagenet/resnext101-32x8d_isda_imagenet.py 8
Baseline:  resnext101-32x8d_imagenet.py; same seed, only the keys below differ
Paper:     20.1 % top-1 error
Result:    not yet run
"""
_base_ = './resnext101-32x8d_imagenet.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5, covariance='diagonal'))
