"""DeepLabV3+ with ISDA and class weights on 16 images of CamVid.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_weights_isda_camvid16-160x120.py
Baseline:  deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py; same seed, only the keys below differ
Result:    not yet run
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.segmentation'], allow_failed_imports=False)
model = dict(
    decode_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=2.5)),
    auxiliary_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=2.5)))
default_hooks = dict(isda=dict(type='ISDAHook'))
