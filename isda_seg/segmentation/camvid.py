"""CamVid: real street scenes with 11 classes, in the layout of the SegNet tutorial."""
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from isda_seg.segmentation.image_sample import ImageSample


@DATASETS.register_module()
class CamVidDataset(ImageSample, BaseSegDataset):
    """CamVid with images ``<split>/*.png`` and label maps ``<split>annot/*.png`` of the same names.

    Label 11 is void and is not remapped, so heads need ``ignore_index=11``.
    """

    METAINFO = dict(
        classes=('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign', 'fence', 'car', 'pedestrian',
                 'bicyclist'),
        palette=[[128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222], [128, 128, 0],
                 [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0], [0, 128, 192]])

    def __init__(self, img_suffix: str = '.png', seg_map_suffix: str = '.png', ignore_index: int = 11,
                 **kwargs: Any) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, ignore_index=ignore_index, **kwargs)
