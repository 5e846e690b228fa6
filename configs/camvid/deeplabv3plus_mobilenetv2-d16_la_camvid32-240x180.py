"""DeepLabV3+ fine-tuned on 32 images of CamVid with logit-adjusted cross-entropy.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_la_camvid32-240x180.py
With ISDA: deeplabv3plus_mobilenetv2-d16_la_isda_camvid32-240x180.py
Result:    mIoU single 50.31 ± 4.65 (mean ± sd, seeds 200-205)
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_camvid32-240x180.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0, logit_adjustment=0.5))
