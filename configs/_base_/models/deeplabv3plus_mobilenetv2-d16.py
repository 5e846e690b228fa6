"""DeepLabV3+, MobileNetV2 at stride 16, a decoder at stride 4, 11 classes with void label 11; for two CPU cores."""
_base_ = './pspnet_mobilenetv2-d16.py'
model = dict(
    data_preprocessor=dict(size=(120, 160)),
    decode_head=dict(
        _delete_=True,
        type='DepthwiseSeparableASPPHead',
        in_channels=320,
        in_index=3,
        channels=64,
        dilations=(1, 2, 4),
        c1_in_channels=24,
        c1_channels=24,
        dropout_ratio=0.0,
        num_classes=11,
        ignore_index=11,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True)),
    auxiliary_head=dict(channels=64, dropout_ratio=0.0))
