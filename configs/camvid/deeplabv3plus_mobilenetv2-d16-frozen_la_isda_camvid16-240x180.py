"""DeepLabV3+ with ISDA on 16 images of CamVid with a frozen ImageNet backbone and logit adjustment.

Run:       python tools/train.py configs/camvid/deeplabv3plus_mobilenetv2-d16-frozen_la_isda_camvid16-240x180.py
Baseline:  deeplabv3plus_mobilenetv2-d16-frozen_la_camvid16-240x180.py; same seed, only the keys below differ
Result:    mIoU single 41.48 ± 3.26 (mean ± sd, seeds 200-211)
"""
_base_ = './deeplabv3plus_mobilenetv2-d16-frozen_la_camvid16-240x180.py'
default_hooks = dict(isda=dict(lambda_0=5))
