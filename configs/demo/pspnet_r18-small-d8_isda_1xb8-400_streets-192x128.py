"""PSPNet + ISDA on the demo streets, 400 iterations: what `make demo` runs.

Run:       python tools/train.py configs/demo/pspnet_r18-small-d8_isda_1xb8-400_streets-192x128.py
Baseline:  pspnet_r18-small-d8_1xb8-400_streets-192x128.py; same seed, only the keys below differ
Result:    mIoU single 40.79, ms 41.22, ms-flip 41.32 (seed 0, one run)
"""
_base_ = './pspnet_r18-small-d8_1xb8-400_streets-192x128.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))
