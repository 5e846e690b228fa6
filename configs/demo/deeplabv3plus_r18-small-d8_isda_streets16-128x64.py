"""DeepLabV3+ + ISDA on 16 of the demo's streets.

Run:       python tools/train.py configs/demo/deeplabv3plus_r18-small-d8_isda_streets16-128x64.py
Baseline:  deeplabv3plus_r18-small-d8_streets16-128x64.py; same seed, only the keys below differ
Result:    mIoU single 35.01 ± 1.33 (mean ± sd, seeds 0-7)
"""
_base_ = './deeplabv3plus_r18-small-d8_streets16-128x64.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=2.5))
