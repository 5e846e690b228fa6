"""Pi-model on CIFAR-10 with 1,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/pi_cifar10.py
With ISDA: pi_isda_cifar10.py
Paper:     28.74 % test error
Table 6:   the other rows, by --cfg-options
           train_dataloader.dataset.num_labels=2000  17.57 % test error
           train_dataloader.dataset.num_labels=4000  12.36 % test error
Result:    not yet run
"""
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_cifar10.py',
    '../../_base_/schedules/semi_400e.py', '../../_base_/classification_runtime.py',
]
model = dict(
    num_classes=10,
    method=dict(type='PiModel', eta_2=100.0))
train_dataloader = dict(dataset=dict(num_labels=1000, views=2))
