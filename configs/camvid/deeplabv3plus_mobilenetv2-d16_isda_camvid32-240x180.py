"""DeepLabV3+ with ISDA, fine-tuned on 32 images of CamVid from ImageNet weights.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_isda_camvid32-240x180.py
Baseline:  deeplabv3plus_mobilenetv2-d16_camvid32-240x180.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_camvid32-240x180.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=2.5))
