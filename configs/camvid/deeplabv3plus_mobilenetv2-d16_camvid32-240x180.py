"""DeepLabV3+ fine-tuned on 32 images of CamVid from ImageNet weights.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_camvid32-240x180.py
With ISDA: deeplabv3plus_mobilenetv2-d16_isda_camvid32-240x180.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenetv2-d16.py', '../_base_/datasets/camvid16_240x180.py',
    '../_base_/schedules/sgd_1k.py', '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=(180, 240)))
train_dataloader = dict(dataset=dict(sample=32))
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', eta_min=1e-5, power=0.9, begin=0, end=600, by_epoch=False)]
train_cfg = dict(max_iters=600, val_begin=600, val_interval=600)
default_hooks = dict(checkpoint=dict(interval=600, max_keep_ckpts=1))
