"""Invalid files are errors that name the file and the problem."""
import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmseg.datasets.transforms import LoadAnnotations, RandomFlip
from mmseg.registry import TRANSFORMS
from PIL import Image

from isda_seg.segmentation.loading import LoadCheckedAnnotations, LoadCheckedImage, check_loading, check_order


@pytest.fixture
def files(tmp_path):
    """A good image with its label map; ``load()`` runs both transforms."""
    image, labels = tmp_path / 'a.png', tmp_path / 'a_labels.png'
    cv2.imwrite(str(image), np.full((8, 12, 3), 7, np.uint8))
    cv2.imwrite(str(labels), np.arange(96, dtype=np.uint8).reshape(8, 12) % 4)

    def load(ignore_index=255):
        results = dict(img_path=str(image), seg_map_path=str(labels), seg_fields=[], reduce_zero_label=False)
        results = LoadCheckedImage().transform(results)
        return LoadCheckedAnnotations(num_classes=4, ignore_index=ignore_index).transform(results)

    return image, labels, load


def test_valid_files_are_loaded_unchanged(files):
    loaded = files[2]()
    assert loaded['img'].shape == (8, 12, 3) and loaded['img'][0, 0, 0] == 7
    assert np.array_equal(loaded['gt_seg_map'], np.arange(96).reshape(8, 12) % 4)


def test_invalid_image_file_is_an_error_that_names_it(files):
    files[0].write_text('hello')
    with pytest.raises(ValueError, match=r'cannot read image .*a\.png'):
        files[2]()


def test_a_missing_image_is_named(files):
    files[0].unlink()
    with pytest.raises(FileNotFoundError, match=r'image .*a\.png does not exist'):
        files[2]()


def test_a_missing_label_map_is_named(files):
    files[1].unlink()
    with pytest.raises(FileNotFoundError, match=r'a\.png has no label map .*a_labels\.png'):
        files[2]()


def test_a_label_map_that_cannot_be_read_is_named(files):
    files[1].write_bytes(files[1].read_bytes()[:20])
    with pytest.raises(ValueError, match=r'cannot read label map .*a_labels\.png'):
        files[2]()


def test_a_label_map_of_another_size_is_named_with_both_sizes(files):
    cv2.imwrite(str(files[1]), np.zeros((8, 10), np.uint8))
    with pytest.raises(ValueError, match=r'a_labels\.png has size 10 x 8, but its image has 12 x 8'):
        files[2]()


def test_a_colour_label_map_is_named(files):
    cv2.imwrite(str(files[1]), np.full((8, 12, 3), (1, 2, 3), np.uint8))
    with pytest.raises(ValueError, match=r'a_labels\.png has 3 channels'):
        files[2]()


def test_a_label_outside_the_classes_is_named_with_its_value_and_file(files):
    labels = np.zeros((8, 12), np.uint8)
    labels[3, 4] = 9
    cv2.imwrite(str(files[1]), labels)
    with pytest.raises(ValueError, match=r'label 9 in .*a_labels\.png .* 4 classes \(0\.\.3\)'):
        files[2]()
    assert files[2](ignore_index=9)['gt_seg_map'][3, 4] == 9


def load(path, **keys):
    results = dict(img_path='a.png', seg_map_path=str(path), seg_fields=[], reduce_zero_label=False, ori_shape=(2, 3))
    return LoadCheckedAnnotations(num_classes=4).transform(dict(results, **keys))['gt_seg_map']


@pytest.mark.parametrize('keys', [
    {}, dict(reduce_zero_label=True), dict(label_map={0: 1, 1: 0, 3: 255}),
    dict(reduce_zero_label=True, label_map={0: 3, 1: 1})])
def test_values_map_to_the_same_classes_as_in_mmsegmentation(tmp_path, keys):
    path = tmp_path / 'labels.png'
    cv2.imwrite(str(path), np.array([[0, 1, 2], [3, 3, 255]], np.uint8))
    results = dict(dict(seg_map_path=str(path), seg_fields=[], reduce_zero_label=False), **keys)
    wanted = LoadAnnotations().transform(results)['gt_seg_map']
    found = load(path, **keys)
    assert np.array_equal(found, wanted) and found.dtype == wanted.dtype == np.uint8


def test_values_above_255_do_not_wrap(tmp_path):
    path = tmp_path / 'labels.png'
    cv2.imwrite(str(path), np.array([[0, 1, 2], [3, 3, 259]], np.uint16))
    with pytest.raises(ValueError, match=r'label 259 in .*labels\.png is neither one of the 4 classes'):
        load(path)
    assert load(path, label_map={259: 2}).tolist() == [[0, 1, 2], [3, 3, 2]]
    with pytest.raises(ValueError, match=r'label 7 in .*labels\.png, mapped from 259 by label_map or '
                                         'reduce_zero_label,'):
        load(path, label_map={259: 7})


def wide(path, values, num_classes=300, ignore_index=65535, **keys):
    cv2.imwrite(str(path), np.array([values], np.uint16))
    results = dict(dict(img_path='a.png', seg_map_path=str(path), seg_fields=[], reduce_zero_label=False,
                        ori_shape=(1, len(values))), **keys)
    transform = LoadCheckedAnnotations(num_classes=num_classes, ignore_index=ignore_index)
    return transform.transform(results)['gt_seg_map'][0].tolist()


def test_more_classes_than_8_bits_are_kept(tmp_path):
    assert wide(tmp_path / 'a.png', [0, 255, 256, 290, 65535]) == [0, 255, 256, 290, 65535]
    assert wide(tmp_path / 'a.png', [0, 65535], num_classes=2) == [0, 65535]


def test_reduce_zero_label_of_300_classes_ignores_only_label_0(tmp_path):
    assert wide(tmp_path / 'a.png', [0, 1, 255, 256, 300], reduce_zero_label=True) == [65535, 0, 254, 255, 299]


def test_a_label_map_to_the_class_255_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(ValueError, match='label_map maps 2 labels of .*a.png to 255, which is one of the 300 classes'):
        wide(tmp_path / 'a.png', [0, 1], label_map={3: 255, 4: 255})


def test_values_that_32_bits_do_not_hold_are_an_error(tmp_path, monkeypatch):
    (tmp_path / 'a.tif').touch()
    monkeypatch.setattr('mmcv.imfrombytes', lambda *_, **__: np.array([[2 ** 32 + 2, 0, 0], [0, 0, 0]], np.int64))
    with pytest.raises(ValueError, match=f'label {2 ** 32 + 2} in .*a.tif'):
        load(tmp_path / 'a.tif')
    with pytest.raises(ValueError, match='hold labels up to .*, got ignore_index=-4294967296'):
        LoadCheckedAnnotations(num_classes=4, ignore_index=-2 ** 32)


def test_every_pipeline_is_validated_with_the_classes_of_the_head():
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    views = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=[[dict(type='LoadAnnotations')]])]
    cfg = Config(dict(model=dict(decode_head=[dict(num_classes=5), dict(num_classes=5, ignore_index=7)]),
                      train_dataloader=dict(dataset=dict(dataset=dict(pipeline=pipeline))),
                      test_dataloader=dict(dataset=dict(pipeline=views))))
    check_loading(cfg)
    changed = dict(type='LoadCheckedAnnotations', num_classes=5, ignore_index=7)
    assert [step.type for step in cfg.train_dataloader.dataset.dataset.pipeline] == \
        ['LoadCheckedImage', 'LoadCheckedAnnotations', 'PackSegInputs']
    assert cfg.test_dataloader.dataset.pipeline[1].transforms[0][0] == changed


@pytest.mark.parametrize('mode', ['L', 'I;16', 'RGB', 'RGBA', 'P'])
def test_grey_ramp_is_preserved_in_every_mode(tmp_path, mode):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    sixteen = Image.fromarray(ramp.astype(np.uint16) << 8 | 0x7F)
    (sixteen if mode == 'I;16' else Image.fromarray(ramp).convert(mode)).save(tmp_path / 'image.png')
    loaded = LoadCheckedImage().transform(dict(img_path=str(tmp_path / 'image.png')))['img']
    assert loaded.shape == (4, 256, 3) and np.array_equal(loaded, np.repeat(ramp[..., None], 3, axis=2))


def test_values_without_a_defined_range_are_an_error(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / 'image.tif')
    with pytest.raises(ValueError, match=r'cannot read image .*image\.tif'):
        LoadCheckedImage().transform(dict(img_path=str(tmp_path / 'image.tif')))


def ordered(split, *steps):
    pipeline = [dict(type='LoadImageFromFile'), *steps, dict(type='PackSegInputs')]
    return Config({f'{split}_dataloader': dict(dataset=dict(dataset=dict(pipeline=pipeline)))})


LABELS = dict(type='LoadAnnotations')


@TRANSFORMS.register_module()
class OwnFlip(RandomFlip):
    """A transform of a user."""


@pytest.mark.parametrize('step', [
    dict(type='RandomFlip', prob=0.5), dict(type='RandomCrop', crop_size=(4, 4)), dict(type='Resize', scale=(4, 4)),
    dict(type='RandomApply', transforms=[dict(type='RandomRotate', prob=1, degree=9)]), dict(type='OwnFlip', prob=1)])
def test_labels_loaded_after_a_transform_that_moves_pixels_are_an_error(step):
    kind = (step.get('transforms') or [step])[0]['type']
    with pytest.raises(ValueError, match=rf'{kind} .train_dataloader.dataset.dataset.pipeline.1.* comes before '
                                         'LoadAnnotations, so it changes the image but not .* Move LoadAnnotations'):
        check_order(ordered('train', step, LABELS), 'train')
    for good in ((LABELS, step), (dict(type='PhotoMetricDistortion'), LABELS), (dict(step, prob=0), LABELS), (step,)):
        if 'transforms' not in step or good[0] != dict(step, prob=0):
            assert check_order(ordered('train', *good), 'train') is None


def test_evaluated_labels_are_loaded_after_a_flip_and_without_a_crop():
    flip, crop = dict(type='RandomFlip', prob=1.0), dict(type='CenterCrop', crop_size=4)
    with pytest.raises(ValueError, match=r'RandomFlip .val_dataloader.dataset.dataset.pipeline.2. comes after LoadAnn'
                                         'otations, so it flips the labels, but predictions are flipped back. Move'):
        check_order(ordered('val', LABELS, flip), 'val')
    with pytest.raises(ValueError, match='CenterCrop .* comes before LoadAnnotations, .* Remove it'):
        check_order(ordered('test', crop, LABELS), 'test')
    views = dict(type='TestTimeAug', transforms=[[dict(type='Resize', scale=(4, 4))], [flip], [LABELS]])
    assert check_order(ordered('test', views), 'test') is None
