"""Mask R-CNN, ResNet-50 FPN, on COCO from our baseline backbone, trained without ISDA (Tables 11 and 12).

Backbone:  work_dirs/resnet50_imagenet/mmdet.pth, or --cfg-options model.backbone.init_cfg.checkpoint=FILE
Run:       tools/dist_train.sh configs/coco/mask-rcnn_r50_fpn_1x_coco.py 8
Baseline:  mask-rcnn_r50_torchvision_fpn_1x_coco.py; same seed, only the backbone differs
With ISDA: mask-rcnn_r50_isda_fpn_1x_coco.py
Paper:     38.9 box mAP, 35.2 mask mAP
Result:    not yet run
"""
_base_ = './mask-rcnn_r50_torchvision_fpn_1x_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet50_imagenet/mmdet.pth')))
