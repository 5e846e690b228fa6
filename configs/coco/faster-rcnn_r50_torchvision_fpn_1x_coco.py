"""Faster R-CNN, ResNet-50 FPN, on COCO from torchvision's backbone (Table 11).

Run:       tools/dist_train.sh configs/coco/faster-rcnn_r50_torchvision_fpn_1x_coco.py 8
Baseline:  none; the backbone of MMDetection's config. The other configs differ only in the backbone
Paper:     37.4 box mAP
Result:    not yet run
"""
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
data_root = '{{$ISDA_SEG_DATA:data}}/coco/'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val2017.json')
test_evaluator = dict(ann_file=data_root + 'annotations/instances_val2017.json')
