"""DeepLabV3+ on 16 images of CamVid with class weights.

Run:       python tools/train.py configs/miniature/deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py
ISDA twin: deeplabv3plus_mobilenetv2-d16_weights_isda_camvid16-160x120.py
Result:    not yet run
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_camvid16-160x120.py'
# One over the root of the share of labelled pixels that a class has in the 16 images, mean 1.
class_weight = [0.33, 0.29, 1.4, 0.24, 0.64, 0.42, 1.04, 1.0, 0.56, 1.77, 3.31]
model = dict(
    decode_head=dict(loss_decode=dict(class_weight=class_weight)),
    auxiliary_head=dict(loss_decode=dict(class_weight=class_weight)))
