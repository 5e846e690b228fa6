"""DeepLabV3-MobileNetV2 on 64 images of CamVid, 62 epochs: a training set the model fits.

Run:       python tools/train.py configs/camvid/deeplabv3_mobilenetv2-d16_1xb4-1k_camvid64-208x176.py
With ISDA: deeplabv3_mobilenetv2-d16_isda_1xb4-1k_camvid64-208x176.py
Result:    not yet run
"""
_base_ = './deeplabv3_mobilenetv2-d16_1xb4-1k_camvid-208x176.py'
train_dataloader = dict(dataset=dict(indices=[n * 367 // 64 for n in range(64)]))
