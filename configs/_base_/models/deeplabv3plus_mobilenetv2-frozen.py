"""DeepLabV3+'s decoder on three levels of a frozen ImageNet MobileNetV2 at its own strides, joined at stride 8."""
_base_ = './deeplabv3plus_mobilenetv2-d16-frozen.py'
model = dict(
    backbone=dict(backbone=dict(strides=(1, 2, 2, 2, 1, 2, 1), dilations=(1, 1, 1, 1, 1, 1, 1))),
    decode_head=dict(
        in_channels=[32, 96, 320],
        in_index=[1, 2, 3],
        input_transform='resize_concat',
        dilations=(1, ),
        c1_channels=16))
