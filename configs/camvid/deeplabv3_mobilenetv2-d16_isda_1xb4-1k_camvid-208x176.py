"""DeepLabV3-MobileNetV2 + ISDA on CamVid at 240 x 180, sized for two CPU cores.

Run:       python tools/train.py configs/camvid/deeplabv3_mobilenetv2-d16_isda_1xb4-1k_camvid-208x176.py
Baseline:  deeplabv3_mobilenetv2-d16_1xb4-1k_camvid-208x176.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './deeplabv3_mobilenetv2-d16_1xb4-1k_camvid-208x176.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=1.0))
