"""DeepLabV3+'s decoder on a MobileNetV2 that keeps its ImageNet weights; features of 512 images stay in memory."""
_base_ = './deeplabv3plus_mobilenetv2-d16.py'
model = dict(
    data_preprocessor=dict(size=(180, 240)),
    backbone=dict(
        _delete_=True,
        type='FrozenBackbone',
        cached=512,
        backbone=dict(
            type='MobileNetV2',
            widen_factor=1.,
            strides=(1, 2, 2, 2, 1, 1, 1),
            dilations=(1, 1, 1, 1, 1, 2, 2),
            out_indices=(1, 2, 4, 6),
            norm_cfg=dict(type='BN'),
            init_cfg=dict(
                type='Pretrained', checkpoint='{{$ISDA_SEG_DATA:data}}/weights/mobilenetv2_imagenet_mm.pth'))),
    decode_head=dict(channels=96),
    auxiliary_head=None)
