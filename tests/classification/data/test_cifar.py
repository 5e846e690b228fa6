"""CIFAR from its archives: complete, with correct colours and labels; damage is an error."""
import gzip
import hashlib
import pickle
import shutil
import tarfile

import numpy as np
import pytest

from isda_seg.classification import CIFARDataset

ARCHIVE, FOLDER = 'cifar-10-python.tar.gz', 'cifar-10-batches-py'


def items(dataset):
    return [(item['img'].tobytes(), item['gt_label']) for item in map(dataset.get_data_info, range(len(dataset)))]


@pytest.fixture(scope='module')
def real(data_folder):
    root = str(data_folder('cifar10'))
    with pytest.warns(UserWarning, match='not the official archive'):
        return {split: CIFARDataset(root, split=split, holdout=1000)
                for split in ('train', 'train_rest', 'held_out', 'test')}


def test_subset_has_1000_training_and_200_test_images_per_class(real):
    counts = {split: np.bincount([label for _, label in items(real[split])]).tolist() for split in real}
    assert counts == dict(train=[1000] * 10, train_rest=[900] * 10, held_out=[100] * 10, test=[200] * 10)
    assert real['train'].metainfo['classes'][:3] == ('airplane', 'automobile', 'bird')


def test_held_out_and_rest_together_are_the_training_set(real):
    rest, held = items(real['train_rest']), items(real['held_out'])
    assert sorted(rest + held) == sorted(items(real['train']))


def test_images_are_bgr_and_labels_are_the_archives_own(real, data_folder):
    with tarfile.open(data_folder('cifar10') / ARCHIVE) as tar:
        batch = pickle.load(tar.extractfile(f'{FOLDER}/data_batch_2'))
    images, labels = batch[b'data'], batch[b'labels']
    item = real['train'].get_data_info(2000 + 5)
    assert (item['img'].shape, item['img'].dtype) == ((32, 32, 3), np.uint8)
    assert np.array_equal(item['img'][..., ::-1].transpose(2, 0, 1).ravel(), images[5])
    assert item['gt_label'] == labels[5]


def test_a_folder_reads_as_its_archive_does(write_cifar):
    root = write_cifar()
    from_folder = items(CIFARDataset(str(root)))
    shutil.rmtree(root / FOLDER)
    assert items(CIFARDataset(str(root), md5=None)) == from_folder
    assert len(from_folder) == 100


def test_cifar_100_has_100_fine_labels(write_cifar):
    dataset = CIFARDataset(str(write_cifar(100, per_batch=200)), num_classes=100, split='test')
    assert [label for _, label in items(dataset)] == [*range(100)] * 2
    assert (len(dataset), len(dataset.metainfo['classes']), dataset.get_cat_ids(101)) == (200, 100, [1])


def test_an_array_pickled_in_2009_is_read(write_cifar):
    modern = pickle.dumps(np.arange(3072 * 2, dtype=np.uint8).reshape(2, 3072), protocol=2)
    begin, end = modern.index(b'X\x02\x00\x00\x00u1'), modern.index(b'\x87', modern.index(b'X\x02\x00\x00\x00u1'))
    old = modern[:begin] + b'U\x02u1K\x00K\x01' + modern[end:]     # dtype('u1', 0, 1), its name a string of Python 2
    assert b'numpy.core' in (old := old.replace(b'numpy._core', b'numpy.core'))
    root = write_cifar()
    content = b'\x80\x02}(U\x04data' + old[2:-1] + b'U\x06labels](K\x03K\x04eu.'
    (root / FOLDER / 'test_batch').write_bytes(content)
    dataset = CIFARDataset(str(root), split='test')
    assert dataset.get_data_info(1)['gt_label'] == 4
    assert dataset.get_data_info(0)['img'][0, :2, 2].tolist() == [0, 1]


def test_a_missing_archive_is_named_with_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'neither {tmp_path}/{ARCHIVE} nor the folder .* exists. '
                                                'Download.*cs.toronto.edu'):
        CIFARDataset(str(tmp_path))


def test_wrong_checksum_with_the_official_size_is_an_error(write_cifar, monkeypatch):
    root = write_cifar()
    shutil.rmtree(root / FOLDER)
    monkeypatch.setattr('isda_seg.classification.data.cifar_files.OFFICIAL', (100, 20))
    found = hashlib.md5((root / ARCHIVE).read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=f'{ARCHIVE} has the md5 checksum {found}, expected c58f3.* holds 100 training '
                                         'and 20 test images .*damaged or modified: download it again'):
        CIFARDataset(str(root))
    assert len(CIFARDataset(str(root), md5=found)) == len(CIFARDataset(str(root), md5=None)) == 100


@pytest.mark.parametrize('split, images', [('train', 100), ('test', 20)])
def test_a_complete_archive_of_another_size_is_read_with_a_warning(write_cifar, split, images):
    root = write_cifar()
    shutil.rmtree(root / FOLDER)
    with pytest.warns(UserWarning, match=f'{root}/{ARCHIVE} is not the official archive: it holds 100 training and 20 '
                                         'test images instead of 50,000 and 10,000. .* not comparable'):
        dataset = CIFARDataset(str(root), split=split)
    assert len(dataset) == images


def test_unofficial_archive_without_a_batch_is_incomplete(write_cifar):
    root = write_cifar()
    (root / FOLDER / 'data_batch_4').unlink()
    with tarfile.open(root / ARCHIVE, 'w:gz') as tar:
        tar.add(root / FOLDER, FOLDER)
    shutil.rmtree(root / FOLDER)
    with pytest.raises(FileNotFoundError, match=f'{ARCHIVE} is incomplete: data_batch_4 is missing'):
        CIFARDataset(str(root), split='test')


@pytest.mark.parametrize('damage', [lambda raw: raw[:-4], lambda raw: raw[:len(raw) // 2], lambda raw: raw[:5],
                                    lambda raw: raw[:-8] + b'\0' + raw[-7:], lambda raw: b'<html>' + raw,
                                    lambda raw: gzip.compress(b'no archive' * 200)])
def test_damaged_archive_is_an_error_for_any_checksum(write_cifar, damage):
    root = write_cifar()
    shutil.rmtree(root / FOLDER)
    (root / ARCHIVE).write_bytes(damage((root / ARCHIVE).read_bytes()))
    for md5 in ('official', None):
        with pytest.raises(ValueError, match=f'{root}/{ARCHIVE} is truncated or damaged .*Download it again'):
            CIFARDataset(str(root), md5=md5)


def test_a_missing_batch_is_named(write_cifar):
    root = write_cifar()
    (root / FOLDER / 'data_batch_4').unlink()
    with pytest.raises(FileNotFoundError, match=f'{FOLDER} is incomplete: data_batch_4 is missing'):
        CIFARDataset(str(root))


def test_a_label_outside_the_classes_is_an_error(write_cifar):
    root = write_cifar(data_batch_3={'data': np.zeros((2, 3072), np.uint8), 'labels': [1, 10]})
    with pytest.raises(ValueError, match='1 labels of the train images .* outside 0..9; the first is 10 of image 41'):
        CIFARDataset(str(root))


@pytest.mark.parametrize('batch', [{'data': np.zeros((2, 3072), np.uint8), 'labels': [1]}, {'labels': [1]},
                                   {'data': np.zeros((1, 100), np.uint8), 'labels': [1]}, [1, 2]])
def test_a_batch_of_another_format_is_named(write_cifar, batch):
    with pytest.raises(ValueError, match='data_batch_2 in .*cifar10.*Download'):
        CIFARDataset(str(write_cifar(data_batch_2=batch)))


class Intruder:
    def __reduce__(self):
        return pytest.fail, ('the archive ran code of its own',)


def test_archive_cannot_execute_code(write_cifar):
    with pytest.raises(ValueError, match='data_batch_1 in .* is not a CIFAR file .* is not allowed'):
        CIFARDataset(str(write_cifar(data_batch_1=Intruder())))


def test_a_held_out_split_larger_than_the_data_is_an_error(write_cifar):
    with pytest.raises(ValueError, match='cannot hold out 5000 of 100 training images'):
        CIFARDataset(str(write_cifar()), split='held_out')


def test_an_unknown_split_is_an_error(write_cifar):
    with pytest.raises(ValueError, match="unknown split 'val'. Choose from .*'held_out', 'test'"):
        CIFARDataset(str(write_cifar()), split='val')
