"""DeepLabV3+ with ISDA and class weights on 16 images of CamVid.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_weights_isda_camvid16-160x120.py
Baseline:  deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py; same seed, only the keys below differ
Result:    mIoU single 44.79 ± 1.34 (mean ± sd, seeds 0-7)
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=2.5))
