"""Cascade R-CNN, ResNet-50 FPN, on COCO from torchvision's backbone, with ISDA in the box heads of its three stages.

Run:       tools/dist_train.sh configs/coco/cascade-rcnn_r50_torchvision_isda-head_fpn_1x_coco.py 8
Baseline:  cascade-rcnn_r50_torchvision_fpn_1x_coco.py; same seed and backbone, without ISDA
Strength:  7.5, the authors' for diagonal covariances in segmentation; not tuned for detection
Paper:     not reported
Result:    not yet run
"""
_base_ = './cascade-rcnn_r50_torchvision_fpn_1x_coco.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))
