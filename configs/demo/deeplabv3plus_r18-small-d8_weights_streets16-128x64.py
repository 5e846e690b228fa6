"""DeepLabV3+ on 16 of the demo's streets with class weights.

Run:       python tools/train.py configs/demo/deeplabv3plus_r18-small-d8_weights_streets16-128x64.py
With ISDA: deeplabv3plus_r18-small-d8_weights_isda_streets16-128x64.py
Result:    not yet run
"""
_base_ = './deeplabv3plus_r18-small-d8_streets16-128x64.py'
# One over the root of the share that a class has of the pixels of the 16 images; a pixel has 1 on average.
loss_decode = dict(
    class_weight=[
        0.57, 1.26, 0.65, 1.48, 1.41, 1.32, 2.04, 2.08, 1.09, 1.98, 0.61, 1.61, 2.00, 1.34, 1.39, 1.32, 1.08, 1.39, 1.41
    ],
    avg_non_ignore=False)  # MMSegmentation divides by the labelled pixels' weights then
model = dict(decode_head=dict(loss_decode=loss_decode), auxiliary_head=dict(loss_decode=loss_decode))
