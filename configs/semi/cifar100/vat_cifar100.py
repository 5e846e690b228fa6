"""VAT on CIFAR-100 with 10,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar100/vat_cifar100.py
With ISDA: vat_isda_cifar100.py
Paper:     40.12 % test error
Table 6:   the other rows, by --cfg-options
           train_dataloader.dataset.num_labels=20000  34.19 % test error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_cifar100.py',
    '../../_base_/schedules/semi_400e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    num_classes=100,
    method=dict(type='VAT', epsilon=8.0))
train_dataloader = dict(dataset=dict(num_labels=10000))
