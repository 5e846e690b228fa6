"""The digits dataset of scikit-learn: complete, and with its grey values."""
import numpy as np
import pytest

from isda_seg.classification import DigitsDataset

load_digits = pytest.importorskip('sklearn.datasets').load_digits


def test_training_and_test_images_partition_the_digits():
    train, test = (DigitsDataset(split=split) for split in ('train', 'test'))
    assert (len(train), len(test), train.metainfo['classes']) == (1437, 360, tuple('0123456789'))
    found = [(item['img'][..., 0].tobytes(), item['gt_label']) for part in (train, test)
             for item in map(part.get_data_info, range(len(part)))]
    data = load_digits()
    greys = [np.round(image * 255 / 16).astype(np.uint8).tobytes() for image in data.images]
    assert sorted(found) == sorted(zip(greys, data.target.tolist(), strict=True))
    image = train.get_data_info(0)['img']
    assert (image.shape, image.dtype) == ((8, 8, 3), np.uint8)
    assert np.array_equal(image, image[..., :1].repeat(3, axis=2))


def test_a_fifth_of_each_digit_is_in_the_test_set():
    labels = [[part.get_cat_ids(i)[0] for i in range(len(part))] for part in map(split, ('train', 'test'))]
    train, test = map(np.bincount, labels)
    assert np.abs(test - (train + test) / 5).max() <= 1


def split(name):
    return DigitsDataset(split=name)
