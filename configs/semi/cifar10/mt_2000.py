"""Mean Teacher on CIFAR-10 with 2,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/mt_2000.py
ISDA twin: mt_2000_isda.py
Paper:     13.45 % test error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_cifar10.py',
    '../../_base_/schedules/semi_400e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    num_classes=10,
    method=dict(type='MeanTeacher', eta_2=100.0))
train_dataloader = dict(dataset=dict(num_labels=2000, views=2))
