"""DeepLabV3+ with ISDA and class weights, fine-tuned on 32 images of CamVid.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_weights_isda_camvid32-240x180.py
Baseline:  deeplabv3plus_mobilenetv2-d16_weights_camvid32-240x180.py; same seed, only the keys below differ
Result:    mIoU single 53.16 ± 3.84 (mean ± sd, seeds 200-205) with test.logit_adjustment=0.2
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_weights_camvid32-240x180.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1))
