"""A schedule for a CPU: 4 epochs, a learning rate of half the paper's for half its batch, the mean of the last two."""
_base_ = './semi_400e.py'
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=4, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=4)
default_hooks = dict(last_evaluations=dict(last=2))
