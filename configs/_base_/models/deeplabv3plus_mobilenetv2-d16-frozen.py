"""DeepLabV3+'s decoder on a MobileNetV2 that keeps its ImageNet weights; features of 512 images stay in memory."""
_base_ = './deeplabv3plus_mobilenetv2-d16.py'
model = dict(
    data_preprocessor=dict(size=(180, 240)),
    backbone=dict(
        _delete_=True,
        type='FrozenBackbone',
        cached=512,
        backbone={{_base_.model.backbone}}),
    decode_head=dict(channels=96),
    auxiliary_head=None)
