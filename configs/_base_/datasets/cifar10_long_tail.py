"""Long-tailed CIFAR-10: the config says how imbalanced; tested on all test images, as many of every class."""
_base_ = './cifar10.py'
train_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False)
val_dataloader = dict(batch_size=250, num_workers=0, persistent_workers=False)
test_dataloader = dict(batch_size=250, num_workers=0, persistent_workers=False)
val_evaluator = dict(mean_class_error=True)
test_evaluator = dict(mean_class_error=True)
