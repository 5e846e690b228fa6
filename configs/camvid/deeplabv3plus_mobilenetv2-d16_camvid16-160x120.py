"""DeepLabV3+ on 16 images of CamVid: two minutes on one core, and it fits its data.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_camvid16-160x120.py
With ISDA: deeplabv3plus_mobilenetv2-d16_isda_camvid16-160x120.py
Result:    mIoU single 43.40 ± 0.89 (mean ± sd, seeds 0-7)
"""
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenetv2-d16.py', '../_base_/datasets/camvid16_160x120.py',
    '../_base_/schedules/sgd_1k.py', '../_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=0, end=900, by_epoch=False)]
train_cfg = dict(max_iters=900, val_begin=800, val_interval=50)
default_hooks = dict(
    checkpoint=dict(interval=900, max_keep_ckpts=1),
    last_evaluations=dict(type='LastEvaluationsHook', last=3, metric='mIoU'))  # single end points are noise
