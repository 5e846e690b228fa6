"""Files that are written per image have different names."""
from mmengine.dataset import BaseDataset, ConcatDataset

from isda_seg.runtime.pictures import OutputNames, output_names


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


class Wrapped:
    """A dataset of another package, whose images are not listed."""


def test_unlisted_images_are_named_below_the_image_folder_of_the_config():
    inner = dict(data_root='/data', data_prefix=dict(img_path='val', seg_map_path='labels'))
    found = output_names(Wrapped(), dict(dataset=dict(type='Wrapped', inner=inner)))
    assert [found[f'/data/val/{name}.png'] for name in ('a/0', 'b/0')] == ['a/0', 'b/0']


def test_a_second_image_of_one_name_has_its_full_path():
    names = OutputNames()
    assert [names[path] for path in ('/data/a/0.png', '/data/b/0.png', '/data/a/0.png')] == ['0', 'data/b/0.png', '0']
