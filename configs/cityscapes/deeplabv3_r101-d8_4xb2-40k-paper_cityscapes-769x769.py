"""DeepLabV3-R101 on Cityscapes in the recipe of the ISDA authors: auxiliary head of 512 channels, mean over labelled
pixels, poly down to 0, scales 0.7 to 2.1, no photometric jitter. Stem, head details and BN stay MMSegmentation's.

Run:       tools/dist_train.sh configs/cityscapes/deeplabv3_r101-d8_4xb2-40k-paper_cityscapes-769x769.py 4
With ISDA: deeplabv3_r101-d8_isda_4xb2-40k-paper_cityscapes-769x769.py
Result:    not yet run
"""
_base_ = './deeplabv3_r50-d8_4xb2-40k-paper_cityscapes-769x769.py'
model = dict(pretrained='open-mmlab://resnet101_v1c', backbone=dict(depth=101))
