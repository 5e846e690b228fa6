"""Missing and empty data are errors before anything is built."""
import json

import pytest
from mmengine.config import Config

pytestmark = pytest.mark.mmdet

IMAGES = [dict(id=number, file_name=f'{number}.jpg', width=8, height=8) for number in (1, 2)]
BOX = dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 4, 4], area=16, iscrowd=0)
POLYGON = dict(BOX, id=2, segmentation=[[1, 1, 5, 1, 5, 5]])


@pytest.fixture
def check():
    from isda_seg.detection.data_check import check_data
    return check_data


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'annotations').mkdir()
    for split in ('train', 'val'):
        (tmp_path / split).mkdir()
        for image in IMAGES:
            (tmp_path / split / image['file_name']).write_bytes(b'')
        write(tmp_path, split, [POLYGON])
    return tmp_path


def write(root, split, annotations, images=IMAGES):
    (root / 'annotations' / f'{split}.json').write_text(json.dumps(dict(images=images, annotations=annotations)))


def config(root, masks=True):
    pipeline = [dict(type='LoadAnnotations', with_bbox=True, with_mask=masks)]
    loaders = {f'{split}_dataloader': dict(dataset=dict(type='RepeatDataset', times=2, dataset=dict(
        type='CocoDataset', data_root=str(root), ann_file=f'annotations/{split}.json', data_prefix=dict(img=split),
        pipeline=pipeline))) for split in ('train', 'val')}
    metric = ['bbox', 'segm'] if masks else 'bbox'
    return Config(dict(loaders, val_evaluator=dict(ann_file=str(root / 'annotations' / 'val.json'), metric=metric)))


def test_complete_data_pass(check, root):
    assert check(config(root)) is None


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_missing_annotation_file_is_named_with_what_to_do(check, root, split):
    (root / 'annotations' / f'{split}.json').unlink()
    with pytest.raises(FileNotFoundError, match=f'the {split} annotation file .*annotations/{split}.json does not '
                                                'exist: put COCO there, set ISDA_SEG_DATA'):
        check(config(root))


def test_annotations_of_the_evaluator_are_checked(check, root):
    cfg = config(root)
    cfg.val_evaluator.ann_file = str(root / 'other.json')
    with pytest.raises(FileNotFoundError, match='the val annotation file .*other.json does not exist'):
        check(cfg)


@pytest.mark.parametrize('annotations, images, numbers', [
    ([], IMAGES, '2 images and 0'), ([BOX], [], '0 images and 1')])
def test_an_empty_split_is_named(check, root, annotations, images, numbers):
    write(root, 'train', annotations, images)
    with pytest.raises(ValueError, match=f'train split is empty: .*train.json has {numbers} boxes'):
        check(config(root))


@pytest.mark.parametrize('text', ['', '{"images": [', '[1, 2]', '{"images": []}'])
def test_a_damaged_annotation_file_is_named(check, root, text):
    (root / 'annotations' / 'train.json').write_text(text)
    with pytest.raises(ValueError, match='train.json is truncated, damaged or not in COCO format'):
        check(config(root))


def test_missing_images_are_counted_and_the_first_is_named(check, root):
    (root / 'train' / '2.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 2 train images listed in .*train.json are missing; .*/2.jpg'):
        check(config(root))
    (root / 'train' / '1.jpg').unlink()
    (root / 'train').rmdir()
    with pytest.raises(FileNotFoundError, match='the train image folder .*train does not exist: put COCO there'):
        check(config(root))


def test_boxes_without_required_masks_are_an_error(check, root):
    write(root, 'train', [POLYGON, BOX])
    assert check(config(root, masks=False)) is None
    with pytest.raises(ValueError, match='1 of 2 objects of the train split in .*train.json have a box but no mask'):
        check(config(root))
    write(root, 'train', [POLYGON])
    write(root, 'val', [BOX])
    cfg = config(root, masks=False)
    cfg.val_evaluator.metric = ['bbox', 'segm']
    with pytest.raises(ValueError, match='1 of 1 objects of the val split .* or val_evaluator.metric=bbox'):
        check(cfg)
