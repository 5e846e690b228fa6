"""DeepLabV3+ with ISDA and class weights on 16 of the synthetic street scenes, drawn by the seed.

Run:       python tools/train.py configs/demo/deeplabv3plus_r18-small-d8_weights_isda_streets-sample16-128x64.py
Baseline:  deeplabv3plus_r18-small-d8_weights_streets-sample16-128x64.py; same seed, only the keys below differ
Result:    mIoU single 35.50 ± 1.67 (mean ± sd, seeds 200-211) with test.logit_adjustment=0.5
"""
_base_ = './deeplabv3plus_r18-small-d8_weights_streets-sample16-128x64.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=5))
