"""Files that are written per image have different names."""
from mmengine.dataset import BaseDataset, ConcatDataset

from isda_seg.runtime.pictures import output_names


def dataset(prefix, *names):
    class Images(BaseDataset):
        def load_data_list(self):
            return [dict(img_path=f'{prefix}/{name}') for name in names]

    return Images(data_prefix=dict(img_path=prefix))


def names(*datasets):
    return list(output_names(datasets[0] if len(datasets) == 1 else ConcatDataset(datasets)).values())


def test_names_keep_the_path_below_the_image_folder():
    assert names(dataset('data/val', '0.png', '1.png')) == ['0', '1']
    assert names(dataset('data/val', 'a/0.png', 'b/0.png')) == ['a/0', 'b/0']
    assert names(dataset('data/val', 'a/0.png', 'a/1.png')) == ['a/0', 'a/1']


def test_images_that_differ_by_their_suffix_keep_it():
    assert names(dataset('data/val', '0.png', '0.jpg', '1.jpg')) == ['0.png', '0.jpg', '1']


def test_an_image_whose_name_ends_with_two_suffixes_keeps_its_own_file():
    found = names(dataset('data/val', 'a.png', 'a.jpg', 'a.png.jpg', 'b.jpg'))
    assert len({*found}) == 4


def test_images_of_several_folders_keep_the_folder():
    assert names(dataset('data/x', '0.png'), dataset('data/y', '0.png')) == ['x/0', 'y/0']


def test_an_image_outside_the_folder_has_its_full_path():
    assert output_names(dataset('/data/val', '0.png', '../far/0.png')) == {
        '/data/val/0.png': '0', '/data/val/../far/0.png': 'data/far/0'}
