"""Mask R-CNN, small, on 128 images of COCO from an ImageNet MobileNetV2: shows that the whole path works, on two cores.

Run:       python tools/train.py configs/coco256/mask-rcnn_mobilenetv2-fpn_1xb2-12e_coco256-400x300.py
Data:      $ISDA_SEG_DATA/coco256, the first 128 images of train2017 and of val2017 (there boxes, no masks)
Masks:     mask-rcnn_mobilenetv2-fpn_1xb2-30e_coco256-16-320x240.py learns and tests them on training images
Result:    box mAP 0.10 (seed 0, one run); shows that the path works and says nothing about a backbone
"""
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
data_root = '{{$ISDA_SEG_DATA:data}}/coco256/'
train_annotations = 'annotations/instances_train2017.json'
val_annotations = 'annotations/instances_val2017_from_yolo.json'
scale = (400, 300)
# Fewer channels and candidates than in MMDetection's config, so that a step takes a second.
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmseg.MobileNetV2',  # the keys of MMDetection's MobileNetV2 differ from the file
        out_indices=(1, 2, 4, 6),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='{{$ISDA_SEG_DATA:data}}/weights/mobilenetv2_imagenet_mm.pth')),
    neck=dict(in_channels=[24, 32, 96, 320], out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=256),
        mask_roi_extractor=dict(out_channels=64),
        mask_head=dict(num_convs=2, in_channels=64, conv_out_channels=64)),
    train_cfg=dict(rpn_proposal=dict(nms_pre=500, max_per_img=200), rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200)))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        ann_file=train_annotations,
        data_prefix=dict(img='images/train2017/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        ann_file=val_annotations,
        data_prefix=dict(img='images/val2017/'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + val_annotations, metric='bbox')
test_evaluator = val_evaluator
optim_wrapper = dict(optimizer=dict(lr=0.01), clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=60),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[9], gamma=0.1),
]
train_cfg = dict(max_epochs=12, val_interval=12)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1), logger=dict(interval=16))
