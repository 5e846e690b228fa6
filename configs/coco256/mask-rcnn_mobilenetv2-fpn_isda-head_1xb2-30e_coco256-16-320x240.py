"""The detector that overfits 16 images, with ISDA in its box head.

Run:       python tools/train.py configs/coco256/mask-rcnn_mobilenetv2-fpn_isda-head_1xb2-30e_coco256-16-320x240.py
Baseline:  mask-rcnn_mobilenetv2-fpn_1xb2-30e_coco256-16-320x240.py; same seed, without ISDA
Result:    box mAP 58.50, mask mAP 40.10 (seed 0, one run); shows that the path works and says nothing about a backbone
"""
_base_ = './mask-rcnn_mobilenetv2-fpn_1xb2-30e_coco256-16-320x240.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))
