"""PSPNet-R101 on Cityscapes, 769 crop, 40k iterations, in MMSegmentation's recipe.

Run:       tools/dist_train.sh configs/cityscapes/pspnet_r101-d8_4xb2-40k_cityscapes-769x769.py 4
With ISDA: pspnet_r101-d8_isda_4xb2-40k_cityscapes-769x769.py
Result:    not yet run
"""
_base_ = './pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py'
model = dict(pretrained='open-mmlab://resnet101_v1c', backbone=dict(depth=101))
