"""Crops, flips and Cutout: possible results and their frequencies."""
import mmcv.transforms  # noqa: F401  registers RandomFlip
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmengine.registry import TRANSFORMS

from isda_seg.classification import ClassificationPreprocessor, Cutout, PackImages, RandomReflectCrop, RandomResizedCrop
from isda_seg.runtime.reproducible import Position, PositionSeededDataset

# The coordinates of each pixel, so that a crop says where it comes from.
GRID = np.stack([*np.meshgrid(np.arange(32), np.arange(32), indexing='ij'), np.zeros((32, 32))], -1).astype(np.uint8)


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)


def test_reflect_crop_is_any_window_of_the_reflected_image():
    padded = np.pad(GRID, ((4, 4), (4, 4), (0, 0)), mode='reflect')
    windows = {padded[y:y + 32, x:x + 32].tobytes(): (y, x) for y in range(9) for x in range(9)}
    seen = [windows[RandomReflectCrop()(dict(img=GRID))['img'].tobytes()] for _ in range(2000)]
    assert (len(windows), len(set(seen))) == (81, 81)


def test_a_crop_larger_than_the_padded_image_is_an_error():
    with pytest.raises(ValueError, match='cannot crop 32 x 32 from an image of .20, 32. pixels with padding 4'):
        RandomReflectCrop()(dict(img=GRID[:20]))


def test_half_the_images_are_mirrored():
    flip = TRANSFORMS.build(dict(type='RandomFlip', prob=0.5))
    images = [flip(dict(img=GRID.copy()))['img'] for _ in range(1000)]
    mirrored = sum(np.array_equal(image, GRID[:, ::-1]) for image in images)
    assert mirrored + sum(np.array_equal(image, GRID) for image in images) == 1000
    assert 450 < mirrored < 550


def test_cutout_is_a_clipped_square_with_a_uniform_centre():
    white = np.full((32, 32, 3), 255, np.uint8)
    rows, columns = [], []
    for _ in range(3000):
        black = (Cutout(16)(dict(img=white))['img'] == 0).all(-1)
        y, x = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
        assert black.sum() == len(y) * len(x)
        rows.append((y[0], y[-1] + 1))
        columns.append((x[0], x[-1] + 1))
    expected = {(max(centre - 8, 0), min(centre + 8, 32)) for centre in range(32)}
    for found in (rows, columns):
        assert set(found) == expected
        counts = [found.count(span) for span in expected]
        assert 55 < min(counts) and max(counts) < 140   # 3000 / 32 = 94
    assert (white == 255).all()


def test_resized_crop_has_the_documented_area_and_ratio():
    crop = RandomResizedCrop(224)
    windows = np.array([crop._window(300, 400) for _ in range(3000)])
    height, width = windows[:, 2], windows[:, 3]
    area, ratio = height * width / 120000, width / height
    assert 0.079 < area.min() < 0.1 and 0.9 < area.max() <= 1
    assert 0.745 < ratio.min() < 0.76 and 1.31 < ratio.max() < 1.345
    assert (windows[:, 0] + height).max() == 300 and (windows[:, 1] + width).max() == 400
    assert windows[:, :2].min() == 0


def test_resized_crop_of_a_strip_is_its_centre():
    assert RandomResizedCrop()._window(10, 1000) == (0, 493, 10, 13)
    assert RandomResizedCrop()._window(1000, 10) == (493, 0, 13, 10)


def test_resized_crop_is_antialiased():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    image = RandomResizedCrop(40, area=(1, 1), ratio=(1, 1))(dict(img=stripes))['img']
    assert (image.shape, image.dtype) == ((40, 40, 3), np.uint8)
    assert 120 < image.min() and image.max() < 135


def test_test_pipeline_resizes_to_256_and_crops_224():
    pipeline = Compose([dict(type='Resize', scale=(100000, 256), keep_ratio=True, backend='pillow'),
                        dict(type='CenterCrop', crop_size=224), PackImages()])
    image = np.zeros((512, 1024, 3), np.uint8)
    image[32:480, 288:736] = 200
    inputs = pipeline(dict(img=image, gt_label=3))['inputs']
    assert inputs.shape == (3, 224, 224)
    assert (inputs[:, 1:-1, 1:-1] == 200).all()
    assert pipeline(dict(img=image.transpose(1, 0, 2), gt_label=3))['inputs'].shape == (3, 224, 224)


def test_packing_keeps_bytes_and_label():
    packed = PackImages()(dict(img=GRID[:, ::-1], gt_label=7, img_path='x'))
    assert set(packed) == {'inputs', 'labels'}
    assert packed['inputs'].dtype == torch.uint8
    assert np.array_equal(packed['inputs'].numpy(), GRID[:, ::-1].transpose(2, 0, 1))
    assert packed['labels'] == 7


@pytest.mark.parametrize('collate', [default_collate, pseudo_collate])
def test_the_preprocessor_gives_normalised_rgb_and_int64_labels(collate):
    images = np.random.randint(256, size=(4, 8, 8, 3), dtype=np.uint8)
    batch = collate([PackImages()(dict(img=image, gt_label=i)) for i, image in enumerate(images)])
    mean, std = np.array([100., 110, 120]), np.array([50., 60, 70])
    out = ClassificationPreprocessor(mean=mean.tolist(), std=std.tolist())(batch)
    expected = ((images[..., ::-1] - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    torch.testing.assert_close(out['inputs'], torch.from_numpy(expected))
    assert set(out) == {'inputs', 'labels'}
    assert (out['labels'].dtype, out['labels'].tolist()) == (torch.int64, [0, 1, 2, 3])


def test_images_of_different_sizes_are_not_padded_but_an_error():
    batch = dict(inputs=[torch.zeros(3, 8, 8), torch.zeros(3, 8, 6)], labels=[0, 1])
    with pytest.raises(RuntimeError, match=r'equal size, but got \[3, 8, 8\] at entry 0 and \[3, 8, 6\] at entry 1'):
        ClassificationPreprocessor()(batch)


PIPELINE = [dict(type='RandomReflectCrop'), dict(type='RandomFlip', prob=0.5), dict(type='Cutout'),
            dict(type='PackImages')]


def test_image_depends_on_its_position(write_cifar):
    dataset = PositionSeededDataset(dict(type='CIFARDataset', data_root=str(write_cifar()), pipeline=PIPELINE))
    images = {position: dataset[Position(0, position, 3)]['inputs'] for position in range(20)}
    np.random.seed(123)
    torch.manual_seed(123)
    assert all(torch.equal(images[position], dataset[Position(0, position, 3)]['inputs']) for position in (5, 0, 19))
    assert len({image.numpy().tobytes() for image in images.values()}) == 20
