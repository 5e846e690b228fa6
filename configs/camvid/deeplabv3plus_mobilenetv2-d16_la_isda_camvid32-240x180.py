"""DeepLabV3+ with ISDA and logit adjustment, fine-tuned on 32 images of CamVid.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16_la_isda_camvid32-240x180.py
Baseline:  deeplabv3plus_mobilenetv2-d16_la_camvid32-240x180.py; same seed, only the keys below differ
Result:    mIoU single 51.26 ± 4.10 (mean ± sd, seeds 200-205) with test.logit_adjustment=0.2
"""
_base_ = './deeplabv3plus_mobilenetv2-d16_la_camvid32-240x180.py'
default_hooks = dict(isda=dict(lambda_0=1))
