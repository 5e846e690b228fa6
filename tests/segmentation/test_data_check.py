"""Missing data is an error before anything is built."""
import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.fileio import BaseStorageBackend, register_backend
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from isda_seg.segmentation.data_check import check_data


@pytest.fixture
def root(tmp_path):
    for split in ('train', 'val'):
        for folder in (split, f'{split}annot'):
            (tmp_path / folder).mkdir()
            for name in ('a.png', 'b.png'):
                cv2.imwrite(str(tmp_path / folder / name), np.zeros((4, 4), np.uint8))
    return tmp_path


def config(root):
    return Config({f'{split}_dataloader': dict(dataset=dict(
        type='RepeatDataset', times=2, dataset=dict(
            type='CamVidDataset', data_root=str(root), pipeline=[],
            data_prefix=dict(img_path=split, seg_map_path=f'{split}annot')))) for split in ('train', 'val')})


def test_complete_data_passes(root):
    assert check_data(config(root)) is None


def test_a_missing_folder_is_named_with_what_to_do(root):
    with pytest.raises(FileNotFoundError, match='train data folder .*nowhere/train .*ISDA_SEG_DATA'):
        check_data(config(root / 'nowhere'))


def test_an_empty_split_is_named(root):
    for image in (root / 'val').iterdir():
        image.rename(image.with_suffix('.jpg'))
    with pytest.raises(ValueError, match=r"val split is empty: no image was found in .*/val; img_suffix is '.png', and "
                                         r'the suffixes of the files there are .jpg'):
        check_data(config(root))
    for image in (root / 'val').iterdir():
        image.unlink()
    with pytest.raises(ValueError, match='there are no files'):
        check_data(config(root))


def test_an_image_without_its_label_map_is_named(root):
    (root / 'trainannot' / 'b.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 2 train images have no label map; .*trainannot/b.png'):
        check_data(config(root))


class Store(BaseStorageBackend):
    """Remote storage of three objects with folders; each file check would be a request."""

    names = ('train/a.png', 'train/b.png', 'trainannot/a.png')

    def get(self, filepath):
        raise AssertionError('no file is fetched by a check')

    get_text = get

    def isdir(self, filepath):
        return any(name.startswith(filepath.removeprefix('store://').rstrip('/') + '/') for name in self.names)

    def list_dir_or_file(self, dir_path, list_dir=True, list_file=True, suffix=None, recursive=False):
        folder = dir_path.removeprefix('store://').rstrip('/') + '/'
        return iter([name.removeprefix(folder) for name in self.names if name.startswith(folder)])


register_backend('store', Store, prefixes='store', force=True)


def remote(folder, **keys):
    dataset = dict(dict(type='CamVidDataset', data_prefix=dict(img_path=folder, seg_map_path='store://trainannot'),
                        pipeline=[]), **keys)
    return Config(dict(train_dataloader=dict(dataset=dataset)))


def test_remote_data_is_checked_by_folder_and_not_by_file():
    assert check_data(remote('store://train'), ('train',)) is None
    with pytest.raises(FileNotFoundError, match='train data folder store://elsewhere .img_path. does not exist'):
        check_data(remote('store://elsewhere'), ('train',))
    assert check_data(remote('train', backend_args=dict(backend='store'),
                             data_prefix=dict(img_path='train', seg_map_path='trainannot')), ('train',)) is None


def test_custom_dataset_with_other_arguments_is_not_checked(root, monkeypatch):
    class Own(BaseSegDataset):
        def __init__(self, data_prefix, pipeline):
            raise AssertionError('it was built')

    monkeypatch.setitem(DATASETS.module_dict, 'Own', Own)
    prefix = dict(img_path=str(root / 'train'))
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='Own', data_prefix=prefix))))
    assert check_data(cfg, ('train',)) is None


def listed(root, text):
    cfg = config(root)
    (root / 'list.txt').write_text(text)
    cfg.train_dataloader.dataset.dataset.ann_file = 'list.txt'
    return cfg


def test_a_list_of_images_is_checked(root):
    assert check_data(listed(root, 'a\nb\n')) is None
    with pytest.raises(ValueError, match=r'list .*/list.txt of the train images .ann_file. has 2 blank lines, .*2'):
        check_data(listed(root, 'a\n\nb\n \n'))
    for text in ('', '\n \n'):
        with pytest.raises(ValueError, match='list .*/list.txt of the train images .ann_file. is empty. Write one'):
            check_data(listed(root, text))
    cfg = listed(root, '')
    (root / 'list.txt').unlink()
    with pytest.raises(FileNotFoundError, match='list .*/list.txt of the train images .ann_file. does not exist'):
        check_data(cfg)


def test_classes_without_a_comma_are_an_error(root):
    cfg = config(root)
    cfg.train_dataloader.dataset.dataset.metainfo = dict(classes=('road'))
    with pytest.raises(ValueError, match=r"the string 'road', which is neither a tuple of names nor"):
        check_data(cfg)


@pytest.mark.parametrize('content, words', [
    ('\ufeffa\nb\n'.encode(), 'begins with a byte order mark, .*. Save it as UTF-8 without'),
    ('a\nb\n'.encode('utf-16'), 'is not UTF-8 text .*Save it as UTF-8 without byte order mark'),
    ('ä\n'.encode('latin-1'), 'is not UTF-8 text .*Save it as UTF-8')])
def test_a_list_in_another_encoding_is_an_error(root, content, words):
    cfg = listed(root, '')
    (root / 'list.txt').write_bytes(content)
    with pytest.raises(ValueError, match=f'list .*/list.txt of the train images .ann_file. {words}'):
        check_data(cfg)


def test_a_key_of_earlier_versions_is_an_error(root):
    cfg = config(root)
    cfg.val_dataloader.dataset.dataset.metainfo = dict(CLASSES=('road',))
    with pytest.raises(ValueError, match='CamVidDataset has the key CLASSES of earlier versions.*Write classes'):
        check_data(cfg)


def test_an_evaluator_by_class_needs_the_names_of_the_classes(root):
    cfg = config(root)
    dataset = cfg.val_dataloader.dataset.dataset
    dataset.update(type='BaseSegDataset', img_suffix='.png')
    assert check_data(cfg) is None
    cfg.val_evaluator = [dict(type='IoUMetric')]
    with pytest.raises(ValueError, match='val dataset BaseSegDataset has no class names, which IoUMetric needs'):
        check_data(cfg)
    dataset.metainfo = dict(classes=('road', 'sky'))
    assert check_data(cfg) is None


def test_a_head_with_fewer_classes_than_the_dataset_is_an_error(root):
    cfg = config(root)
    cfg.model = dict(decode_head=[dict(num_classes=12), dict(num_classes=10)])
    with pytest.raises(ValueError, match='decode head has 10 classes, but the train dataset CamVidDataset has 11. Set'):
        check_data(cfg)
    cfg.model.decode_head[1].num_classes = 11
    assert check_data(cfg) is None


def test_a_head_with_more_classes_than_the_dataset_is_announced(root, monkeypatch):
    said = []
    monkeypatch.setattr('isda_seg.segmentation.data_check.print_log', lambda text, *_: said.append(text))
    cfg = config(root)
    cfg.model = dict(decode_head=dict(num_classes=12))
    check_data(cfg)
    assert [text.partition('. ')[0] for text in said] == [
        f'the decode head has 12 classes, but the {split} dataset CamVidDataset has 11'
        for split in ('train', 'val')]


def test_a_list_of_names_with_their_suffix_is_an_error_with_a_remedy(root):
    with pytest.raises(FileNotFoundError, match=r'2 of 2 train images have no image; the first missing file is .*a.png.'
                                                r'png. Remove img_suffix, .png, from the names in .*list.txt$'):
        check_data(listed(root, 'a.png\nb.png\n'))
