"""PSPNet-MobileNetV2 + ISDA on 64 images of CamVid, 62 epochs: a training set the model fits.

Run:       python tools/train.py configs/camvid/pspnet_mobilenetv2-d16_isda_1xb4-1k_camvid64-208x176.py
Baseline:  pspnet_mobilenetv2-d16_1xb4-1k_camvid64-208x176.py; same seed, only the keys below differ
Table 8:   the other rows, by --cfg-options
           model.decode_head.loss_decode.covariance=identity model.auxiliary_head.loss_decode.covariance=identity
           model.decode_head.loss_decode.covariance=shared model.auxiliary_head.loss_decode.covariance=shared
           default_hooks.isda.ramp=constant
Result:    mIoU single 39.02 ± 1.83, ms 39.57 ± 1.77, ms-flip 40.01 ± 1.54 (mean ± sd, seeds 0, 1, 2, 3, 4)
"""
_base_ = './pspnet_mobilenetv2-d16_1xb4-1k_camvid64-208x176.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.segmentation'], allow_failed_imports=False)
model = dict(
    decode_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=1.0)),
    auxiliary_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=1.0)))
default_hooks = dict(isda=dict(type='ISDAHook'))
