"""Pi-model on CIFAR-10 with 4,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/pi_4000.py
ISDA twin: pi_4000_isda.py
Paper:     12.36 % test error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_cifar10.py',
    '../../_base_/schedules/semi_400e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    num_classes=10,
    method=dict(type='PiModel', eta_2=100.0))
train_dataloader = dict(dataset=dict(num_labels=4000, views=2))
