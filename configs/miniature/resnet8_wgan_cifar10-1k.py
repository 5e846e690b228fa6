"""A ResNet of eight layers on 1,000 images of CIFAR-10, a sixth of every batch from one WGAN per class (Table 5).

Before:    python tools/train_generator.py configs/miniature/resnet8_cifar10-1k.py --classes --width 16 \
               --steps 600 --write-images 1000 --work-dir data/wgan_cifar10-1k    (or below $ISDA_SEG_DATA)
Run:       python tools/train.py configs/miniature/resnet8_wgan_cifar10-1k.py
Baseline:  resnet8_cifar10-1k.py; same seed and number of steps, only the keys below differ
Result:    52.03 ± 0.47 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_cifar10-1k.py'
custom_imports = dict(imports=['isda_seg.classification', 'isda_seg.paper.generators.synthetic_mix'])
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=4),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackImages'),
]
train_dataloader = dict(
    sampler=dict(_delete_=True, type='SyntheticMixSampler', batch_size=64),
    dataset=dict(
        _delete_=True,
        type='SyntheticMixDataset',
        dataset=dict(
            type='CIFARDataset',
            num_classes=10,
            data_root='{{$ISDA_SEG_DATA:data}}/cifar10',
            split='train_rest',
            holdout=5000,
            indices=1000),
        synthetic=dict(type='ImageFolderDataset', data_root='{{$ISDA_SEG_DATA:data}}/wgan_cifar10-1k/images'),
        pipeline=train_pipeline))
