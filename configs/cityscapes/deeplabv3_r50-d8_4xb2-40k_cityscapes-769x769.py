"""DeepLabV3-R50 on Cityscapes, 769 crop, 40k iterations, in MMSegmentation's recipe.

Run:       tools/dist_train.sh configs/cityscapes/deeplabv3_r50-d8_4xb2-40k_cityscapes-769x769.py 4
With ISDA: deeplabv3_r50-d8_isda_4xb2-40k_cityscapes-769x769.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/deeplabv3_r50-d8.py', '../_base_/datasets/cityscapes_769x769.py',
    '../_base_/schedules/sgd_40k.py', '../_base_/default_runtime.py',
]
