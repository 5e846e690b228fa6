"""DeepLabV3+ fine-tuned on 32 images of CamVid with class weights.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_weights_camvid32-240x180.py
With ISDA: deeplabv3plus_mobilenetv2-d16_weights_isda_camvid32-240x180.py
Result:    mIoU single 52.92 ± 4.39 (mean ± sd, seeds 200-205) with test.logit_adjustment=0.2
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_camvid32-240x180.py'
# As in deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py: the root of the inverse share of pixels. It
# corresponds to logit adjustment with tau = 0.5.
loss_decode = dict(
    class_weight=[0.87, 0.76, 3.66, 0.64, 1.67, 1.10, 2.72, 2.63, 1.46, 4.63, 8.66], avg_non_ignore=False)
model = dict(decode_head=dict(loss_decode=loss_decode), auxiliary_head=dict(loss_decode=loss_decode))
