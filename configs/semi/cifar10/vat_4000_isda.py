"""VAT + ISDA on CIFAR-10 with 4,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/vat_4000_isda.py
Baseline:  vat_4000.py; same seed, only the keys below differ
Paper:     9.72 % test error
Result:    not yet run
"""
_base_ = './vat_4000.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.semi'], allow_failed_imports=False)
model = dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'), eta_1=1.0)
default_hooks = dict(isda=dict(type='ISDAHook'))
