"""DeepLabV3+ on 16 images of CamVid with class weights.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py
With ISDA: deeplabv3plus_mobilenetv2-d16_weights_isda_camvid16-160x120.py
Result:    mIoU single 45.16 ± 1.33 (mean ± sd, seeds 0-7)
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_camvid16-160x120.py'
# One over the root of the share that a class has of the labelled pixels of the 16 images; a pixel has 1 on average.
loss_decode = dict(
    class_weight=[0.87, 0.76, 3.66, 0.64, 1.67, 1.10, 2.72, 2.63, 1.46, 4.63, 8.66],
    avg_non_ignore=False)  # MMSegmentation divides by the labelled pixels' weights then
model = dict(decode_head=dict(loss_decode=loss_decode), auxiliary_head=dict(loss_decode=loss_decode))
