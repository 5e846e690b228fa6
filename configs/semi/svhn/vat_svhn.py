"""VAT on SVHN with 500 labels (Table 6).

Run:       python tools/train.py configs/semi/svhn/vat_svhn.py
With ISDA: vat_isda_svhn.py
Paper:     5.10 % test error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_svhn.py',
    '../../_base_/schedules/semi_400e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    num_classes=10,
    method=dict(type='VAT', epsilon=3.5))
train_dataloader = dict(dataset=dict(num_labels=500))
