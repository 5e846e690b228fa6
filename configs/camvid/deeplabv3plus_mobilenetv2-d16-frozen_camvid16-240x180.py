"""DeepLabV3+ on 16 images of CamVid with a frozen ImageNet backbone: a minute on one core.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16-frozen_camvid16-240x180.py
With ISDA: deeplabv3plus_mobilenetv2-d16-frozen_isda_camvid16-240x180.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenetv2-d16-frozen.py', '../_base_/datasets/camvid16_240x180.py',
    '../_base_/schedules/sgd_1k.py', '../_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=0, end=400, by_epoch=False)]
train_cfg = dict(max_iters=400, val_begin=400, val_interval=400)
default_hooks = dict(checkpoint=dict(interval=400, max_keep_ckpts=1))
