"""Class prior of image classifiers, from training labels without reading images."""
import pytest
from helpers import tiny_images
from mmengine.config import Config

import isda_seg.semi  # noqa: F401  registers the datasets
from isda_seg.classification.class_prior import count_labels


def config(dataset, num_classes=10):
    return Config(dict(model=dict(num_classes=num_classes), train_dataloader=dict(dataset=dataset)))


@pytest.fixture
def cifar(write_cifar):
    """Ten images of each class, of which 10, 7, 5, ..., 1 are kept."""
    return dict(type='CIFARDataset', data_root=str(write_cifar()), imbalance=10, n_max=10)


COUNTS = [10, 7, 5, 4, 3, 2, 2, 1, 1, 1]


def test_labels_are_counted_as_often_as_they_are_trained_on(cifar):
    assert count_labels(config(cifar)).tolist() == COUNTS
    assert count_labels(config(dict(cifar, indices=20))).sum() == 20
    repeated = dict(type='RepeatDataset', times=3, dataset=cifar)
    joined = dict(type='ConcatDataset', datasets=[cifar, cifar])
    assert count_labels(config(repeated)).tolist() == COUNTS
    assert count_labels(config(joined)).tolist() == [2 * count for count in COUNTS]
    assert count_labels(config(cifar, num_classes=12)).tolist() == [*COUNTS, 0, 0]


def test_semi_supervised_config_counts_labelled_images(cifar):
    dataset = dict(type='TwoStreamDataset', dataset=dict(cifar), num_labels=20)
    assert count_labels(config(dataset)).tolist() == [3, 3, 3, 2, 2, 2, 2, 1, 1, 1]


def test_no_image_is_read(tmp_path):
    root = tiny_images.write_image_folder(tmp_path)
    for path in root.rglob('*.JPEG'):
        path.write_bytes(b'')
    (root / 'train' / 'n01' / '0.JPEG').unlink()
    assert count_labels(config(dict(type='ImageFolderDataset', data_root=str(root)), 2)).tolist() == [2, 3]


def test_config_without_training_data_is_an_error_with_a_remedy():
    with pytest.raises(ValueError, match='cannot count the class prior: .* Test a checkpoint trained with ISDA, or'):
        count_labels(Config(dict(model=dict(num_classes=2))))
