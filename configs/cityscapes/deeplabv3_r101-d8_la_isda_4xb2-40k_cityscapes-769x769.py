"""DeepLabV3-R101 + ISDA on Cityscapes, 769 crop, 40k iterations, with logit adjustment.

Run:       tools/dist_train.sh configs/cityscapes/deeplabv3_r101-d8_la_isda_4xb2-40k_cityscapes-769x769.py 4
Baseline:  deeplabv3_r101-d8_la_4xb2-40k_cityscapes-769x769.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './deeplabv3_r101-d8_la_4xb2-40k_cityscapes-769x769.py'
default_hooks = dict(isda=dict(lambda_0=7.5))
