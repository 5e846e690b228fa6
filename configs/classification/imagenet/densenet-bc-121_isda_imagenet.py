"""DenseNet-BC-121 + ISDA on ImageNet (Table 1).

Run:       tools/dist_train.sh configs/classification/imagenet/densenet-bc-121_isda_imagenet.py 8
Baseline:  densenet-bc-121_imagenet.py; same seed, only the keys below differ
Paper:     23.2 % top-1 error
Result:    not yet run
"""
_base_ = './densenet-bc-121_imagenet.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1.0, covariance='diagonal'))
