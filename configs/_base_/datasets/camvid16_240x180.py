"""16 of CamVid's training images at 240 x 180, drawn by `sample_seed`, flipped but neither scaled nor cropped."""
_base_ = './camvid.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(sample=16, sample_seed=0, pipeline=train_pipeline))
