"""The real CamVid dataset."""
import numpy as np
import pytest

from isda_seg.segmentation import CamVidDataset
from isda_seg.segmentation.loading import LoadCheckedAnnotations, LoadCheckedImage


@pytest.mark.parametrize('split, images', [('train', 367), ('val', 101)])
def test_camvid_has_the_published_sizes_and_labels_0_to_11(split, images, data_folder):
    dataset = CamVidDataset(data_root=str(data_folder('camvid')),
                            data_prefix=dict(img_path=split, seg_map_path=f'{split}annot'),
                            pipeline=[LoadCheckedImage(), LoadCheckedAnnotations(num_classes=11, ignore_index=11)])
    assert (len(dataset), len(dataset.metainfo['classes']), len(dataset.metainfo['palette'])) == (images, 11, 11)
    first = dataset[0]
    assert first['img'].shape == (180, 240, 3)
    assert first['gt_seg_map'].shape == (180, 240)
    assert set(np.unique(first['gt_seg_map'])) <= set(range(12))
