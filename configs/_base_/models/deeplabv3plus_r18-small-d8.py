"""DeepLabV3+ on the small ResNet-18 at stride 8, a decoder at stride 4, 19 classes; for two CPU cores."""
_base_ = './pspnet_r18-small-d8.py'
model = dict(
    data_preprocessor=dict(size=(64, 128)),
    decode_head=dict(
        _delete_=True,
        type='DepthwiseSeparableASPPHead',
        in_channels=256,
        in_index=3,
        channels=64,
        dilations=(1, 2, 4),
        c1_in_channels=32,
        c1_channels=24,
        dropout_ratio=0.0,
        num_classes=19,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True)),
    auxiliary_head=dict(dropout_ratio=0.0))
