"""DeepLabV3+ on 16 images of CamVid, trained on its hard pixels.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_ohem_camvid16-160x120.py
With ISDA: deeplabv3plus_mobilenetv2-d16_ohem_isda_camvid16-160x120.py
Result:    not yet run
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_camvid16-160x120.py'
sampler = dict(type='OHEMPixelSampler', thresh=0.7, min_kept=5000)
model = dict(decode_head=dict(sampler=sampler), auxiliary_head=dict(sampler=sampler))
