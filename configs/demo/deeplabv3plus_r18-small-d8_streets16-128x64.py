"""DeepLabV3+ on 16 of the demo's streets: a minute on one core, and it fits its data.

Run:       python tools/train.py configs/demo/deeplabv3plus_r18-small-d8_streets16-128x64.py
ISDA twin: deeplabv3plus_r18-small-d8_isda_streets16-128x64.py
Result:    mIoU single 34.76 ± 1.37 (mean ± sd, seeds 0, 1, 2, 3, 4, 5, 6, 7)
"""
_base_ = [
    '../_base_/models/pspnet_r18-small-d8.py', '../_base_/datasets/streets16_128x64.py',
    '../_base_/schedules/sgd_1k.py', '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(64, 128)),
    decode_head=dict(
        _delete_=True,
        type='DepthwiseSeparableASPPHead',
        in_channels=256,
        in_index=3,
        channels=64,
        dilations=(1, 2, 4),
        c1_in_channels=32,
        c1_channels=24,
        dropout_ratio=0.0,
        num_classes=19,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True)),
    auxiliary_head=dict(dropout_ratio=0.0))
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=0, end=800, by_epoch=False)]
train_cfg = dict(max_iters=800, val_begin=700, val_interval=50)
default_hooks = dict(
    checkpoint=dict(interval=800, max_keep_ckpts=1),
    last_evaluations=dict(type='LastEvaluationsHook', last=3, metric='mIoU'))  # single end points are noise
