"""SGD with Nesterov momentum 0.9, 60 epochs, cosine from 0.1 after a warm-up; tested and saved at the end."""
_base_ = './sgd_epochs.py'
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=5, convert_to_iter_based=True),  # to the last epoch, however many there are
]
train_cfg = dict(max_epochs=60, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1000, max_keep_ckpts=1))
