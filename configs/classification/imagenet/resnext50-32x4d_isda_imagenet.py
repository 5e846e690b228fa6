"""ResNeXt-50, 32x4d + ISDA on ImageNet (Table 1).

Run:       tools/dist_train.sh configs/classification/imagenet/resnext50-32x4d_isda_imagenet.py 8
Baseline:  resnext50-32x4d_imagenet.py; same seed, only the keys below differ
Paper:     21.3 % top-1 error
Result:    not yet run
"""
_base_ = './resnext50-32x4d_imagenet.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5, covariance='diagonal'))
