"""DeepLabV3-R50 + ISDA on Cityscapes in the authors' recipe: table at feature resolution, nearest labels.

Run:       tools/dist_train.sh configs/cityscapes/deeplabv3_r50-d8_isda_4xb2-40k-paper_cityscapes-769x769.py 4
Baseline:  deeplabv3_r50-d8_4xb2-40k-paper_cityscapes-769x769.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './deeplabv3_r50-d8_4xb2-40k-paper_cityscapes-769x769.py'
default_hooks = dict(isda=dict(
    type='isda_seg.hooks.ISDAHook', lambda_0=7.5, resolution='feature', label_sampling='nearest'))
