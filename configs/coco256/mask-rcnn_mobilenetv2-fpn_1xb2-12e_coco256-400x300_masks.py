"""The same detector tested on the 128 images it was trained on, which alone have polygons: no validation.

Run:       python tools/test.py configs/coco256/mask-rcnn_mobilenetv2-fpn_1xb2-12e_coco256-400x300_masks.py CHECKPOINT
Result:    not yet run
"""
_base_ = './mask-rcnn_mobilenetv2-fpn_1xb2-12e_coco256-400x300.py'
annotations = 'annotations/instances_train2017.json'
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale={{_base_.scale}}, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
test_dataloader = dict(
    dataset=dict(
        ann_file=annotations,
        data_prefix=dict(img='images/train2017/'),
        pipeline=test_pipeline))
test_evaluator = dict(ann_file='{{$ISDA_SEG_DATA:data}}/coco256/' + annotations, metric=['bbox', 'segm'])
