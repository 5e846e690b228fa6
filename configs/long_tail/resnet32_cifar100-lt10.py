"""ResNet-32 on long-tailed CIFAR-100, the first class 10 times as frequent as the last.

Run:       python tools/train.py configs/long_tail/resnet32_cifar100-lt10.py
Result:    not yet run
"""
_base_ = '../classification/cifar100/resnet32_cifar100.py'
train_dataloader = dict(dataset=dict(imbalance=10))
val_evaluator = dict(mean_class_error=True)
test_evaluator = dict(mean_class_error=True)
