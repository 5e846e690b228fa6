"""PSPNet-R50 on Cityscapes in the recipe of the ISDA authors: auxiliary head of 512 channels, mean over labelled
pixels, poly down to 0, scales 0.7 to 2.1, no photometric jitter. Stem, head details and BN stay MMSegmentation's.

Run:       tools/dist_train.sh configs/cityscapes/pspnet_r50-d8_4xb2-40k-paper_cityscapes-769x769.py 4
ISDA twin: pspnet_r50-d8_isda_4xb2-40k-paper_cityscapes-769x769.py
Result:    not yet run
"""
_base_ = './pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py'
model = dict(
    decode_head=dict(loss_decode=dict(avg_non_ignore=True)),
    auxiliary_head=dict(channels=512, loss_decode=dict(avg_non_ignore=True)))
param_scheduler = [dict(type='PolyLR', eta_min=0, power=0.9, begin=0, end=40000, by_epoch=False)]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.7, 2.1), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(769, 769)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
