"""PSPNet-MobileNetV2 + ISDA with one covariance for all classes (Table 8, "single"); 64 images of CamVid.

Run:       python tools/train.py configs/camvid/pspnet_mobilenetv2-d16_isda-shared_1xb4-1k_camvid64-208x176.py
Baseline:  pspnet_mobilenetv2-d16_1xb4-1k_camvid64-208x176.py; same seed, only the keys of ISDA differ
Result:    not yet run
"""
_base_ = './pspnet_mobilenetv2-d16_isda_1xb4-1k_camvid64-208x176.py'
model = dict(
    decode_head=dict(loss_decode=dict(covariance='shared')),
    auxiliary_head=dict(loss_decode=dict(covariance='shared')))
