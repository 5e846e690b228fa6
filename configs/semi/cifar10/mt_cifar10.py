"""Mean Teacher on CIFAR-10 with 1,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/mt_cifar10.py
With ISDA: mt_isda_cifar10.py
Paper:     18.27 % test error
Table 6:   the other rows, by --cfg-options
           train_dataloader.dataset.num_labels=2000  13.45 % test error
           train_dataloader.dataset.num_labels=4000  10.73 % test error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_cifar10.py',
    '../../_base_/schedules/semi_400e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    num_classes=10,
    method=dict(type='MeanTeacher', eta_2=100.0))
train_dataloader = dict(dataset=dict(num_labels=1000, views=2))
