"""SGD with Nesterov momentum 0.9 by epochs, tested after each; the config says how many, at which learning rates."""
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', momentum=0.9, nesterov=True))
train_cfg = dict(type='EpochBasedTrainLoop', val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    last_evaluations=dict(type='LastEvaluationsHook', last=10))
