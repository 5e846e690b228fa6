"""SyntheticMixDataset: a fixed share of every batch is synthetic; resume is exact."""
import itertools
from collections import Counter

import cv2
import numpy as np
import pytest
from helpers import tiny
from helpers.sampler_epochs import sampler_epochs
from mmengine.config import Config

from isda_seg.paper.generators import synthetic_mix
from isda_seg.paper.generators.labelled_gan_training import KINDS
from isda_seg.paper.generators.synthetic_mix import SyntheticMixDataset, SyntheticMixSampler

CONFIG = tiny.ROOT / 'configs' / 'miniature' / 'resnet8_digits.py'
BATCH = 30


class Images:
    """As many images, in the classes a and b in turn."""

    metainfo = dict(classes=('a', 'b'))

    def __init__(self, count, first):
        self.count, self.first = count, first

    def __len__(self):
        return self.count

    def get_data_info(self, index):
        return dict(number=self.first + index, gt_label=index % 2)

    def get_cat_ids(self, index):
        return [index % 2]


@pytest.fixture
def mixed():
    """20 real images, numbered from 0, and 7 synthetic ones, from 100."""
    return SyntheticMixDataset(Images(20, 0), Images(7, 100))


@pytest.fixture
def epochs(monkeypatch, mixed):
    """epochs(number, ranks, batch): for each epoch the indices of each rank."""
    def build(number, ranks=1, batch=6, seed=0):
        return sampler_epochs(monkeypatch, synthetic_mix, lambda: SyntheticMixSampler(mixed, batch, seed=seed),
                              number, ranks)
    return build


def test_items_are_real_images_then_synthetic_images(mixed):
    assert (len(mixed), mixed.counts, mixed.metainfo['classes']) == (27, (20, 7), ('a', 'b'))
    assert [mixed[i] for i in (0, 19, 20, 26)] == [
        dict(number=number, gt_label=label) for number, label in ((0, 0), (19, 1), (100, 0), (106, 0))]
    assert [mixed.get_cat_ids(i) for i in (19, 20, 21)] == [[1], [0], [1]]


@pytest.mark.parametrize('batch, synthetic', [(6, [1, 1, 1, 0]), (12, [2, 1]), (16, [3, 1]), (20, [3])])
def test_a_sixth_of_every_batch_is_synthetic(epochs, batch, synthetic):
    for (indices,) in epochs(3, batch=batch):
        batches = [indices[start:start + batch] for start in range(0, 20, batch)]
        assert [sum(index >= 20 for index in one) for one in batches] == synthetic
        assert len(indices) == 20


@pytest.mark.parametrize('ranks', [1, 2])
def test_images_of_a_kind_are_sampled_equally_often(epochs, ranks):
    counts = Counter(index for epoch in epochs(9, ranks) for rank in epoch for index in rank)
    for kind in (range(20), range(20, 27)):
        seen = [counts[index] for index in kind]
        assert max(seen) - min(seen) <= 1 and min(seen) >= 3
    assert sum(counts.values()) == 9 * 20


def test_order_depends_on_seed_and_epoch(epochs):
    first, again, other = (epochs(3, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first[0] != first[1] and first[0] != other[0]


def test_incompatible_datasets_and_settings_are_errors(mixed):
    class Others(Images):
        metainfo = dict(classes=('a', 'c'))

    with pytest.raises(ValueError, match='classes a, b, but the synthetic ones have a, c'):
        SyntheticMixDataset(Images(2, 0), Others(2, 0))
    with pytest.raises(ValueError, match='got 2 and 0'):
        SyntheticMixDataset(Images(2, 0), Images(0, 0))
    with pytest.raises(ValueError, match='needs a SyntheticMixDataset, got Images'):
        SyntheticMixSampler(Images(2, 0), 6)
    with pytest.raises(ValueError, match='0 of 2 images in a batch are synthetic'):
        SyntheticMixSampler(mixed, 2)


def mix(folder):
    """Changes the digits' config: 70 real images and the synthetic ones of a folder, three batches an epoch."""
    def change(cfg):
        cfg.custom_imports.imports.append('isda_seg.paper.generators.synthetic_mix')
        loader = cfg.train_dataloader
        pipeline = loader.dataset.pop('pipeline')
        loader.dataset = dict(type='SyntheticMixDataset', dataset=dict(loader.dataset, indices=70), pipeline=pipeline,
                              synthetic=dict(type='ImageFolderDataset', data_root=str(folder)))
        loader.batch_size = BATCH
        loader.sampler = dict(type='SyntheticMixSampler', batch_size=BATCH)
        cfg.train_cfg.max_epochs, cfg.param_scheduler = 2, None
        cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=2)
    return change


@tiny.on_cpu
def test_resumed_run_has_the_batches_of_the_uninterrupted_run(tmp_path):
    for digit, number in itertools.product(range(10), range(2)):
        path = tmp_path / 'made' / 'train' / str(digit) / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 8, 3), 20 * digit + number, np.uint8))
    whole, steps = tiny.train(CONFIG, tmp_path / 'whole', change=mix(tmp_path / 'made'))
    resumed, rest = tiny.train(CONFIG, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'epoch_1.pth',
                               change=mix(tmp_path / 'made'))
    assert (len(steps), len(rest)) == (6, 3)
    assert rest == steps[3:]
    assert tiny.differing(resumed.model.state_dict(), whole.model.state_dict()) == []


@pytest.mark.parametrize('kind', KINDS)
def test_generator_configs_differ_only_in_the_image_folder(kind):
    wgan, other = (tiny.flat(Config.fromfile(CONFIG.with_name(f'resnet8_{name}_cifar10-1k.py')).to_dict())
                   for name in ('wgan', kind))
    assert tiny.differing(wgan, other) == ['train_dataloader.dataset.synthetic.data_root']
    assert other['train_dataloader.dataset.synthetic.data_root'].endswith(f'/{kind}_cifar10-1k/images')
