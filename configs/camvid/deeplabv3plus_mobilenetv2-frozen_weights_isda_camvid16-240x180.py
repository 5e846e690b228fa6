"""DeepLabV3+ with ISDA and class weights on three levels of a frozen ImageNet backbone, 16 images of CamVid.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-frozen_weights_isda_camvid16-240x180.py
Baseline:  deeplabv3plus_mobilenetv2-frozen_weights_camvid16-240x180.py; same seed, only the keys below differ
Result:    mIoU single 48.42 ± 2.99 (mean ± sd, seeds 200-211) with test.logit_adjustment=0.3
"""
_base_ = './deeplabv3plus_mobilenetv2-frozen_weights_camvid16-240x180.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=5))
