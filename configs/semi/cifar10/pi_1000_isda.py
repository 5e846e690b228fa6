"""Pi-model + ISDA on CIFAR-10 with 1,000 labels (Table 6).

Run:       python tools/train.py configs/semi/cifar10/pi_1000_isda.py
Baseline:  pi_1000.py; same seed, only the keys below differ
Paper:     23.99 % test error
Result:    not yet run
"""
_base_ = './pi_1000.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.semi'], allow_failed_imports=False)
model = dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'), eta_1=1.0)
default_hooks = dict(isda=dict(type='ISDAHook'))
