"""DeepLabV3-MobileNetV2 + ISDA on CamVid at 240 x 180, sized for two CPU cores.

Run:       python tools/train.py configs/camvid/deeplabv3_mobilenetv2-d16_isda_1xb4-1k_camvid-208x176.py
Baseline:  deeplabv3_mobilenetv2-d16_1xb4-1k_camvid-208x176.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './deeplabv3_mobilenetv2-d16_1xb4-1k_camvid-208x176.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.segmentation'], allow_failed_imports=False)
model = dict(
    decode_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=1.0)),
    auxiliary_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=1.0)))
default_hooks = dict(isda=dict(type='ISDAHook'))
