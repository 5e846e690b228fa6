"""Cascade R-CNN, ResNet-50 FPN, on COCO from our baseline backbone, trained without ISDA (Table 11).

Backbone:  work_dirs/resnet50_imagenet/mmdet.pth, or --cfg-options model.backbone.init_cfg.checkpoint=FILE
Run:       tools/dist_train.sh configs/coco/cascade-rcnn_r50_fpn_1x_coco.py 8
Baseline:  cascade-rcnn_r50_torchvision_fpn_1x_coco.py; same seed, only the backbone differs
With ISDA: cascade-rcnn_r50_isda_fpn_1x_coco.py
Paper:     40.8 box mAP
Result:    not yet run
"""
_base_ = './cascade-rcnn_r50_torchvision_fpn_1x_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet50_imagenet/mmdet.pth')))
