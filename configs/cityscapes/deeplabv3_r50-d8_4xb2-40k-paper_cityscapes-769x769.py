"""DeepLabV3-R50 on Cityscapes in the recipe of the ISDA authors: auxiliary head of 512 channels, mean over labelled
pixels, poly down to 0, scales 0.7 to 2.1, no photometric jitter. Stem, head details and BN stay MMSegmentation's.

Run:       tools/dist_train.sh configs/cityscapes/deeplabv3_r50-d8_4xb2-40k-paper_cityscapes-769x769.py 4
With ISDA: deeplabv3_r50-d8_isda_4xb2-40k-paper_cityscapes-769x769.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/deeplabv3_r50-d8.py', '../_base_/datasets/cityscapes_769x769_authors.py',
    '../_base_/schedules/sgd_40k_authors.py', '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(loss_decode=dict(avg_non_ignore=True)),
    auxiliary_head=dict(channels=512, loss_decode=dict(avg_non_ignore=True)))
