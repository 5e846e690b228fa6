"""ImageNet layout: classes are folder names, every file is an image or an error."""
import numpy as np
import pytest

from isda_seg.classification import ImageFolderDataset


def entries(root, split):
    dataset = ImageFolderDataset(str(root), split=split, holdout=2)
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def test_labels_follow_the_sorted_folders(image_folder):
    for split, count in (('train', 3), ('test', 2)):
        found = entries(image_folder, split)
        assert [entry['gt_label'] for entry in found] == [0] * count + [1] * count
        assert [round(entry['img'].mean()) for entry in found] == [200] * count + [50] * count
    assert found[1]['img'].shape == (31, 41, 3)


def test_images_are_bgr_and_lose_an_alpha_channel(image_folder):
    cv2 = pytest.importorskip('cv2')
    blue = np.zeros((20, 20, 4), np.uint8)
    blue[..., (0, 3)] = 255
    cv2.imwrite(str(image_folder / 'val' / 'n01' / '0.png'), blue)
    image = entries(image_folder, 'test')[1]['img']
    assert (image.shape, image[3, 4].tolist()) == ((20, 20, 3), [255, 0, 0])


def test_held_out_images_come_from_the_training_folder(image_folder):
    rest, held, train = ([entry['img_path'] for entry in entries(image_folder, split)]
                         for split in ('train_rest', 'held_out', 'train'))
    assert (len(held), sorted(rest + held)) == (2, sorted(train))


@pytest.mark.parametrize('content', [b'', b'not an image', None])
def test_invalid_image_file_is_an_error_on_access(image_folder, content):
    path = image_folder / 'train' / 'n01' / '1.JPEG'
    path.write_bytes(path.read_bytes()[:400] if content is None else content)
    dataset = ImageFolderDataset(str(image_folder))
    assert len(dataset) == 6
    with pytest.raises(ValueError, match=f'cannot read image {path}: '):
        dataset[1]


@pytest.mark.parametrize('name', ['Thumbs.db', 'desktop.ini', '.DS_Store'])
def test_files_of_file_managers_are_no_images(image_folder, name):
    (image_folder / 'train' / 'n01' / name).write_bytes(b'0')
    assert len(ImageFolderDataset(str(image_folder))) == 6


def test_different_class_folders_are_listed(image_folder):
    (image_folder / 'val' / 'n01').rename(image_folder / 'val' / 'n03')
    for split in ('train', 'test'):
        with pytest.raises(ValueError, match='only in .*: n0[13]; only in .*: n0[13]. Use the same classes in both'):
            ImageFolderDataset(str(image_folder), split=split)


def test_missing_and_empty_folders_are_errors(image_folder):
    with pytest.raises(FileNotFoundError, match='nowhere/train does not exist. .*ISDA_SEG_DATA'):
        ImageFolderDataset(str(image_folder / 'nowhere'))
    with pytest.raises(ValueError, match='n01/train contains no class folders'):
        (image_folder / 'train' / 'n01' / 'train').mkdir()
        ImageFolderDataset(str(image_folder / 'train' / 'n01'))
    for image in (image_folder / 'val' / 'n02').iterdir():
        image.unlink()
    with pytest.raises(ValueError, match='the class folder .*val/n02 contains no image'):
        ImageFolderDataset(str(image_folder), split='test')
