"""DeepLabV3-MobileNetV2 on CamVid at 240 x 180, sized for two CPU cores.

Run:       python tools/train.py configs/camvid/deeplabv3_mobilenetv2-d16_1xb4-1k_camvid-208x176.py
With ISDA: deeplabv3_mobilenetv2-d16_isda_1xb4-1k_camvid-208x176.py
Result:    not yet run
"""
_base_ = [
    '../_base_/models/deeplabv3_mobilenetv2-d16.py', '../_base_/datasets/camvid.py', '../_base_/schedules/sgd_1k.py',
    '../_base_/default_runtime.py',
]
