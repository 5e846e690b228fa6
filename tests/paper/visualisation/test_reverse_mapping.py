"""Reverse mapping, and its tools from a config to the figures."""
import json

import cv2
import pytest
import torch
from helpers import tiny
from helpers.linear_mapping import PIXELS, LinearGenerator, linear_network
from mmengine.registry import MODELS

from isda_seg.paper.generators.generator import normalised_codes, sample_codes
from isda_seg.paper.generators.wgan_training import WGANSettings, WGANTraining
from isda_seg.paper.visualisation.inversion import Recipe, Schedule, augment_features
from isda_seg.paper.visualisation.reverse_mapping import (
    ClassAugmentation,
    grid_columns,
    nearest_in_pixels,
    reverse_map,
)
from isda_seg.runtime.launch import load_config

pytestmark = pytest.mark.exhaustive

CONFIG = tiny.ROOT / 'configs' / 'miniature' / 'resnet8_digits.py'
ADAM = Schedule(300, 0.1, (150, 225), optimizer='adam')


def test_augmented_features_have_covariance_strength_times_sigma():
    features = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    root = torch.tensor([[1.0, 0, 0], [0.5, 2, 0], [0.3, -1, 0]])  # of rank 2
    for covariance, full in ((root @ root.t(), root @ root.t()), (torch.tensor([1.0, 4, 0]), torch.diag(
            torch.tensor([1.0, 4, 0])))):
        drawn = augment_features(features, covariance, 0.5, count=20_000, seed=1)
        assert len(drawn[:, :50].flatten(0, 1).unique(dim=0)) == 100
        for row, feature in zip(drawn, features, strict=True):
            torch.testing.assert_close(row.mean(0), feature, atol=0.05, rtol=0)
            torch.testing.assert_close(row.t().cov(), 0.5 * full, atol=0.1, rtol=0)
    assert torch.equal(augment_features(features, covariance, 0.0, count=3), features[:, None].expand(2, 3, 3))
    with pytest.raises(ValueError, match=r'covariance must have shape \(3,\) or \(3, 3\), got \(4,\)'):
        augment_features(features, torch.ones(4), 0.5, count=5)
    with pytest.raises(ValueError, match='count must be at least 1, got 0'):
        augment_features(features, covariance, 0.5, count=0)


def test_generated_images_have_the_augmented_features():
    generator, network = LinearGenerator(), linear_network(features=4)
    with torch.no_grad():
        images = generator.eval().images(normalised_codes(sample_codes(2, PIXELS, seed=7)))
    augmentation = ClassAugmentation(0.1 * torch.ones(4), 0.5, 3)
    found = reverse_map(images, torch.zeros(2, dtype=torch.int64), generator, network, augmentation,
                        Recipe(ADAM, ADAM, 1.0))
    targets = augment_features(network(images).detach(), *augmentation)
    torch.testing.assert_close(found.reconstruction, images, atol=1e-3, rtol=0)
    reached = network(found.augmented.flatten(0, 1)).unflatten(0, (2, 3))
    torch.testing.assert_close(reached, targets, atol=1e-2, rtol=0)
    report = found.report()
    assert report['step_1']['best'] < 1e-4 < report['step_1']['start']
    assert report['moved'] == pytest.approx((targets - network(images)[:, None]).square().sum(2).median().item())
    assert [(column.title, tuple(column.images.shape)) for column in grid_columns(found)] == [
        ('initial', (2, 1, 3, 2, 2)), ('reconstruction', (2, 1, 3, 2, 2)), ('augmented', (2, 3, 3, 2, 2)),
        ('random', (2, 3, 3, 2, 2))]


def test_nearest_images_equal_brute_force():
    pixels = torch.randint(256, (40, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    batches = [dict(inputs=part, labels=torch.zeros(len(part), dtype=torch.int64)) for part in pixels.split(7)]
    queries = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    images = pixels.flip(1) / 255  # of BGR
    order = (queries[:, None] - images).flatten(2).square().sum(2).argsort(dim=1)[:, :6]
    assert torch.equal(nearest_in_pixels(queries, batches, 6), images[order])
    with pytest.raises(ValueError, match='41 nearest images, but the training data has only 40'):
        nearest_in_pixels(queries, batches, 41)


def test_tools_train_a_generator_and_write_the_figures(tmp_path, monkeypatch):
    pytest.importorskip('sklearn')
    torch.manual_seed(0)
    cfg = load_config(str(CONFIG), dict(), str(tmp_path))
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'net.pth')
    options = CONFIG, '--work-dir', tmp_path, '--classes', '3', '--batch', '8', '--width', '2'
    tiny.run_tool(monkeypatch, 'train_generator.py', *options, '--steps', '1', '--write-images', '2')
    tiny.run_tool(monkeypatch, 'train_generator.py', *options, '--steps', '2', '--write-images', '2')
    assert torch.load(tmp_path / 'wgan_3.pth')['steps'] == 2
    assert sorted(path.name for path in (tmp_path / 'images' / 'train' / '3').iterdir()) == ['00000.png', '00001.png']
    tiny.run_tool(monkeypatch, 'reverse_map.py', CONFIG, tmp_path / 'net.pth', tmp_path / 'wgan_3.pth', '--class', '3',
                  '--work-dir', tmp_path, '--images', '2', '--samples', '3', '--steps', '4', '2', '--restarts', '2')
    report = json.loads((tmp_path / 'reverse_3.json').read_text())
    assert (report['kind'], report['seed'], report['covariance'], report['origin'], report['strength']) == (
        'reverse mapping', 0, 'full', 'the train split', 0.5)
    assert len(report['chosen']) == 2 and report['step_2']['best'] <= report['step_2']['start']
    sizes = [cv2.imread(str(tmp_path / f'{name}.png')).shape for name in ('reverse_3', 'reverse_3_nearest', 'wgan_3')]
    assert [size[0] for size in sizes] == [322, 562, 1042]
    with pytest.raises(ValueError, match='--write-images needs a generator per class'):
        tiny.run_tool(monkeypatch, 'train_generator.py', CONFIG, '--write-images', '2')
    with pytest.raises(ValueError, match='a class named all would share wgan_all.pth with the generator of all images'):
        tiny.run_tool(monkeypatch, 'train_generator.py', CONFIG, '--classes', 'all')
    other = WGANTraining(torch.randint(256, (8, 3, 16, 16), dtype=torch.uint8), WGANSettings(width=2, batch=8))
    torch.save(other.state_dict(), tmp_path / 'large.pth')
    with pytest.raises(ValueError, match='images of 16 x 16 pixels, but the images of the config have 8 x 8'):
        tiny.run_tool(monkeypatch, 'reverse_map.py', CONFIG, tmp_path / 'net.pth', tmp_path / 'large.pth', '--class',
                      '3', '--work-dir', tmp_path)
    labelled = CONFIG, '--work-dir', tmp_path / 'one', '--kind', 'acgan', '--batch', '8', '--width', '2', '--steps', '1'
    tiny.run_tool(monkeypatch, 'train_generator.py', *labelled, '--write-images', '2')
    folders = sorted((tmp_path / 'one' / 'images' / 'train').iterdir())
    assert [folder.name for folder in folders] == [str(digit) for digit in range(10)]
    assert len({(folder / '00000.png').read_bytes() for folder in folders}) == 10
    assert cv2.imread(str(tmp_path / 'one' / 'acgan_all.png')).shape[0] == 1282
    with pytest.raises(ValueError, match='A single acgan generates images of all classes. Omit --classes'):
        tiny.run_tool(monkeypatch, 'train_generator.py', *labelled, '--classes')
    with pytest.raises(ValueError, match='--steps must be at least 1, got 0'):
        tiny.run_tool(monkeypatch, 'train_generator.py', *options, '--steps', '0')
