"""DeepLabV3+ on 16 of the demo's streets: two minutes on one core, and it fits its data.

Run:       python tools/train.py configs/demo/deeplabv3plus_r18-small-d8_streets16-128x64.py
With ISDA: deeplabv3plus_r18-small-d8_isda_streets16-128x64.py
Result:    mIoU single 34.76 ± 1.37 (mean ± sd, seeds 0-7)
"""
_base_ = [
    '../_base_/models/deeplabv3plus_r18-small-d8.py', '../_base_/datasets/streets16_128x64.py',
    '../_base_/schedules/sgd_1k.py', '../_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=0, end=800, by_epoch=False)]
train_cfg = dict(max_iters=800, val_begin=700, val_interval=50)
default_hooks = dict(
    checkpoint=dict(interval=800, max_keep_ckpts=1),
    last_evaluations=dict(type='LastEvaluationsHook', last=3, metric='mIoU'))  # single end points are noise
