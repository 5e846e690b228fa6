"""CamVid: 11 classes of real street scenes, in the layout of the SegNet tutorial."""
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from isda_seg.segmentation.image_sample import ImageSample


@DATASETS.register_module()
class CamVidDataset(ImageSample, BaseSegDataset):
    """``<split>/*.png`` images and ``<split>annot/*.png`` label maps of the same names; label 11 is void.

    Void is the ignore index 11 of the label maps; ``label_map`` is not used, so heads need ``ignore_index=11``.
    """

    METAINFO = dict(
        classes=('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign', 'fence', 'car', 'pedestrian',
                 'bicyclist'),
        palette=[[128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222], [128, 128, 0],
                 [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0], [0, 128, 192]])

    def __init__(self, img_suffix: str = '.png', seg_map_suffix: str = '.png', ignore_index: int = 11,
                 **kwargs: object) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, ignore_index=ignore_index, **kwargs)
