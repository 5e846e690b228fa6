"""A ResNet of eight layers on 1,000 images of CIFAR-10, a sixth of every batch from one InfoGAN (Table 5).

Before:    python tools/train_generator.py configs/miniature/resnet8_cifar10-1k.py --kind infogan --width 16 \
               --steps 3000 --write-images 1000 --work-dir data/infogan_cifar10-1k    (or below $ISDA_SEG_DATA)
Run:       python tools/train.py configs/miniature/resnet8_infogan_cifar10-1k.py
Baseline:  resnet8_cifar10-1k.py; same seed and number of steps, only the keys below differ
Result:    50.98 ± 0.79 % top-1 error (mean ± sd, seeds 20-27)
"""
_base_ = './resnet8_wgan_cifar10-1k.py'
train_dataloader = dict(
    dataset=dict(synthetic=dict(data_root='{{$ISDA_SEG_DATA:data}}/infogan_cifar10-1k/images')))
