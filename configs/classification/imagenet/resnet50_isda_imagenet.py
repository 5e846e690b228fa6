"""ResNet-50 + ISDA on ImageNet (Table 1).

Run:       tools/dist_train.sh configs/classification/imagenet/resnet50_isda_imagenet.py 8
Baseline:  resnet50_imagenet.py; same seed, only the keys below differ
Paper:     21.9 % top-1 error
Result:    not yet run
"""
_base_ = './resnet50_imagenet.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5, covariance='diagonal'))
