"""DeepLabV3, MobileNetV2 at stride 16, heads of 128 channels, 11 classes with void label 11; for two CPU cores.

The ImageNet weights (MMSegmentation's key names) are at $ISDA_SEG_DATA/weights/mobilenetv2_imagenet_mm.pth.
"""
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=11,
        size=(176, 208)),
    backbone=dict(
        type='MobileNetV2',
        widen_factor=1.,
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(1, 2, 4, 6),
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='{{$ISDA_SEG_DATA:data}}/weights/mobilenetv2_imagenet_mm.pth')),
    decode_head=dict(
        type='ASPPHead',
        in_channels=320,
        in_index=3,
        channels=128,
        dilations=(1, 3, 6, 9),
        dropout_ratio=0.1,
        num_classes=11,
        ignore_index=11,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True)),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=96,
        in_index=2,
        channels=128,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=11,
        ignore_index=11,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4, avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
