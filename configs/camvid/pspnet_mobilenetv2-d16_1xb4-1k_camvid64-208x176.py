"""PSPNet-MobileNetV2 on 64 images of CamVid, 62 epochs: a training set the model fits.

Run:       python tools/train.py configs/camvid/pspnet_mobilenetv2-d16_1xb4-1k_camvid64-208x176.py
With ISDA: pspnet_mobilenetv2-d16_isda_1xb4-1k_camvid64-208x176.py
Result:    mIoU single 39.49 ± 2.31, ms 39.89 ± 2.16, ms-flip 40.09 ± 2.05 (mean ± sd, seeds 0-4)
"""
_base_ = './pspnet_mobilenetv2-d16_1xb4-1k_camvid-208x176.py'
train_dataloader = dict(dataset=dict(indices=[n * 367 // 64 for n in range(64)]))
