"""PSPNet-R101 on Cityscapes, 769 crop, 40k iterations, with logit-adjusted cross-entropy.

Run:       tools/dist_train.sh configs/cityscapes/pspnet_r101-d8_la_4xb2-40k_cityscapes-769x769.py 4
With ISDA: pspnet_r101-d8_la_isda_4xb2-40k_cityscapes-769x769.py
Result:    not yet run
"""
_base_ = './pspnet_r101-d8_4xb2-40k_cityscapes-769x769.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0, logit_adjustment=0.5))
