"""Mean Teacher + ISDA on CIFAR-100 with 10,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar100/mt_10000_isda.py
Baseline:  mt_10000.py; same seed, only the keys below differ
Paper:     34.60 % test error
Result:    not yet run
"""
_base_ = './mt_10000.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.semi'], allow_failed_imports=False)
model = dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'), eta_1=1.0)
default_hooks = dict(isda=dict(type='ISDAHook'))
