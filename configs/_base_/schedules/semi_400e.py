"""Section 5 and appendix B: 400 epochs over the unlabelled images, learning rate 0.1 by cosine to 0, by iteration."""
_base_ = './sgd_epochs.py'
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=0.0001))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=400, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=400)
