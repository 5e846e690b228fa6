"""DeepLabV3+ with class weights on three levels of a frozen ImageNet backbone and 16 images of CamVid.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-frozen_weights_camvid16-240x180.py
With ISDA: deeplabv3plus_mobilenetv2-frozen_weights_isda_camvid16-240x180.py
Result:    mIoU single 48.31 ± 2.79 (mean ± sd, seeds 200-211) with test.logit_adjustment=0.5
"""
_base_ = './deeplabv3plus_mobilenetv2-frozen_camvid16-240x180.py'
# As in deeplabv3plus_mobilenetv2-d16_weights_camvid16-160x120.py: the root of the inverse share of pixels. It
# corresponds to logit adjustment with tau = 0.5.
model = dict(decode_head=dict(loss_decode=dict(
    class_weight=[0.87, 0.76, 3.66, 0.64, 1.67, 1.10, 2.72, 2.63, 1.46, 4.63, 8.66], avg_non_ignore=False)))
