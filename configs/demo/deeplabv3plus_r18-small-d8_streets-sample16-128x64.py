"""DeepLabV3+ on 16 of the synthetic street scenes, drawn by the seed.

Run:       python tools/train.py configs/demo/deeplabv3plus_r18-small-d8_streets-sample16-128x64.py
With ISDA: deeplabv3plus_r18-small-d8_isda_streets-sample16-128x64.py
Result:    mIoU single 33.99 ± 1.27 (mean ± sd, seeds 200-211) with test.logit_adjustment=0.5
"""
_base_ = './deeplabv3plus_r18-small-d8_streets16-128x64.py'
custom_imports = dict(imports=['isda_seg.segmentation'], allow_failed_imports=False)
train_dataloader = dict(dataset=dict(type='SampledCityscapesDataset', indices=None, sample=16, sample_seed=0))
