"""DeepLabV3 in the place of the PSPNet: the same MobileNetV2 and auxiliary head; for two CPU cores."""
_base_ = './pspnet_mobilenetv2-d16.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='ASPPHead',
        in_channels=320,
        in_index=3,
        channels=128,
        dilations=(1, 3, 6, 9),
        dropout_ratio=0.1,
        num_classes=11,
        ignore_index=11,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True)))
