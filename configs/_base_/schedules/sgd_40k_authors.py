"""The 40k schedule in the recipe of the ISDA authors: poly 0.9 down to 0."""
_base_ = './sgd_40k.py'
param_scheduler = [dict(type='PolyLR', eta_min=0, power=0.9, begin=0, end=40000, by_epoch=False)]
