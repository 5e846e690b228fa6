"""DeepLabV3+ on three levels of a frozen ImageNet backbone, 16 images of CamVid, logit-adjusted cross-entropy.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-frozen_la_camvid16-240x180.py
With ISDA: deeplabv3plus_mobilenetv2-frozen_la_isda_camvid16-240x180.py
Result:    mIoU single 46.53 ± 3.18 (mean ± sd, seeds 200-211)
"""
_base_ = './deeplabv3plus_mobilenetv2-frozen_camvid16-240x180.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0, logit_adjustment=0.5))
