"""Faster R-CNN, ResNet-50 FPN, on COCO from our baseline backbone, trained without ISDA (Table 11).

Backbone:  work_dirs/resnet50_imagenet/mmdet.pth, or --cfg-options model.backbone.init_cfg.checkpoint=FILE
Run:       tools/dist_train.sh configs/coco/faster-rcnn_r50_fpn_1x_coco.py 8
Baseline:  faster-rcnn_r50_torchvision_fpn_1x_coco.py; same seed, only the backbone differs
With ISDA: faster-rcnn_r50_isda_fpn_1x_coco.py
Paper:     38.0 box mAP
Result:    not yet run
"""
_base_ = './faster-rcnn_r50_torchvision_fpn_1x_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet50_imagenet/mmdet.pth')))
