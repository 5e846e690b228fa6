"""PSPNet on the demo streets, 400 iterations: minutes on two CPU cores.

Run:       python tools/train.py configs/demo/pspnet_r18-small-d8_1xb8-400_streets-192x128.py
With ISDA: pspnet_r18-small-d8_isda_1xb8-400_streets-192x128.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/pspnet_r18-small-d8.py', '../_base_/datasets/streets.py', '../_base_/schedules/sgd_1k.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01))  # from scratch, fast
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=400, by_epoch=False)]
train_cfg = dict(max_iters=400, val_interval=40)
default_hooks = dict(checkpoint=dict(interval=40))
