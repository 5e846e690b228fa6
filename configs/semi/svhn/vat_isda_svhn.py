"""VAT + ISDA on SVHN with 500 labels (Table 6).

Run:       python tools/train.py configs/semi/svhn/vat_isda_svhn.py
Baseline:  vat_svhn.py; same seed, only the keys below differ
Paper:     4.86 % test error
Result:    not yet run
"""
_base_ = './vat_svhn.py'
model = dict(eta_1=1.0)
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full'))
