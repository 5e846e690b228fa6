"""DeepLabV3+ on three levels of a frozen ImageNet backbone and 16 images of CamVid: a minute on one core.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-frozen_camvid16-240x180.py
With ISDA: deeplabv3plus_mobilenetv2-frozen_isda_camvid16-240x180.py
Result:    mIoU single 41.39 ± 2.36 (mean ± sd, seeds 200-211)
"""
_base_ = './deeplabv3plus_mobilenetv2-d16-frozen_camvid16-240x180.py'
model = dict(
    backbone=dict(backbone=dict(strides=(1, 2, 2, 2, 1, 2, 1), dilations=(1, 1, 1, 1, 1, 1, 1))),
    decode_head=dict(
        in_channels=[32, 96, 320],  # three levels at the backbone's own strides, joined at stride 8
        in_index=[1, 2, 3],
        input_transform='resize_concat',
        dilations=(1, ),
        c1_channels=16))
