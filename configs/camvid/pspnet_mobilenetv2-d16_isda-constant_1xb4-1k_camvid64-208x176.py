"""PSPNet-MobileNetV2 + ISDA, full strength from the first iteration (Table 8, "constant"); 64 images of CamVid.

Run:       python tools/train.py configs/camvid/pspnet_mobilenetv2-d16_isda-constant_1xb4-1k_camvid64-208x176.py
Baseline:  pspnet_mobilenetv2-d16_1xb4-1k_camvid64-208x176.py; same seed, only the keys of ISDA differ
Result:    not yet run
"""
_base_ = './pspnet_mobilenetv2-d16_isda_1xb4-1k_camvid64-208x176.py'
default_hooks = dict(isda=dict(ramp='constant'))
