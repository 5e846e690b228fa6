"""CNN-13 (Table 10) on labelled and unlabelled images; the config says which base method and how many classes."""
model = dict(type='SemiClassifier', backbone=dict(type='CNN13'))
custom_hooks = [dict(type='SemiHook')]
