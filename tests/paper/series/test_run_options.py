"""Modified copies of a config differ only in the requested keys; held-out images are not trained on."""
import copy
from pathlib import Path

import pytest
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from isda_seg import compat
from isda_seg.paper.series.run_options import hold_out, with_isda, with_options

IMAGES = 8


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    compat.prepare()
    return tiny.write_configs(tmp_path_factory.mktemp('arms'), train=IMAGES)


@pytest.fixture
def plain(paths):
    return Config.fromfile(paths[0])


@pytest.fixture
def isda(paths):
    return Config.fromfile(paths[1])


def changed(before, after):
    """The dotted keys in which two configs differ."""
    return tiny.differing(tiny.flat(before.to_dict()), tiny.flat(after.to_dict()))


def files(loader):
    """folder/name of the images a dataset has, and folder/name of their label maps."""
    init_default_scope('mmseg')
    dataset = DATASETS.build(copy.deepcopy(loader.dataset))
    entries = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [Path(entry['img_path']).name for entry in entries] == [Path(entry['seg_map_path']).name
                                                                   for entry in entries]
    return ['/'.join(Path(entry['img_path']).parts[-2:]) for entry in entries]


def train(*numbers):
    return [f'train/{number}.png' for number in numbers]


def test_options_and_seed_change_only_their_keys_in_a_copy(plain):
    before = copy.deepcopy(plain)
    arm = with_options(plain, 7, {'train_cfg.max_iters': 3, 'model.decode_head.dropout_ratio': 0.2})
    assert changed(plain, arm) == ['model.decode_head.dropout_ratio', 'randomness.seed', 'train_cfg.max_iters']
    assert (arm.randomness.seed, arm.train_cfg.max_iters, arm.model.decode_head.dropout_ratio) == (7, 3, 0.2)
    assert changed(before, plain) == []
    assert changed(plain, with_options(plain)) == []


def test_seed_keeps_the_other_keys_of_randomness(plain):
    plain.randomness = dict(seed=1, deterministic=True)
    assert with_options(plain, 2).randomness == dict(seed=2, deterministic=True)
    plain.pop('randomness')
    assert with_options(plain, 0).randomness == dict(seed=0)


def test_isda_keys_are_set_in_every_isda_loss_only(isda):
    isda.model.auxiliary_head.loss_decode.type = 'isda_seg.ISDALoss'
    isda.model.decode_head.loss_decode = [isda.model.decode_head.loss_decode, dict(type='DiceLoss')]
    before = copy.deepcopy(isda)
    arm = with_isda(isda, lambda_0=2.5, resolution='feature')
    isda_of_decode, dice = arm.model.decode_head.loss_decode
    assert dice == dict(type='DiceLoss')
    for loss in (isda_of_decode, arm.model.auxiliary_head.loss_decode):
        assert (loss.lambda_0, loss.resolution) == (2.5, 'feature')
    assert changed(isda, arm) == [f'model.{place}.{key}' for place in ('auxiliary_head.loss_decode',
                                                                       'decode_head.loss_decode.0')
                                  for key in ('lambda_0', 'resolution')]
    assert changed(before, isda) == []


@pytest.mark.parametrize('hooks', ['default_hooks', 'custom_hooks'])
def test_isda_keys_are_set_in_the_hook(plain, hooks):
    hook = dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5)
    plain.merge_from_dict({hooks: dict(isda=hook) if hooks == 'default_hooks' else [hook]})
    arm = with_isda(plain, lambda_0=2.5, covariance='full')
    where = f'{hooks}.{"isda" if hooks == "default_hooks" else 0}'
    assert changed(plain, arm) == [f'{where}.covariance', f'{where}.lambda_0']


def test_config_without_isda_is_rejected(plain):
    with pytest.raises(ValueError, match='tiny_1xb2.py has neither an ISDALoss nor an ISDAHook with lambda_0'):
        with_isda(plain, lambda_0=1.0)


def test_last_training_files_are_held_out_for_evaluation(isda):
    before = copy.deepcopy(isda)
    arm = hold_out(isda, 0.25)
    assert files(arm.train_dataloader) == train(0, 1, 2, 3, 4, 5)
    assert files(arm.val_dataloader) == files(arm.test_dataloader) == train(6, 7)
    assert files(isda.val_dataloader) == ['val/0.png', 'val/1.png', 'val/2.png']
    assert changed(before, isda) == []


def test_held_out_images_use_the_test_pipeline(isda):
    arm = hold_out(isda, 0.25)
    assert arm.val_dataloader.dataset.pipeline == isda.val_dataloader.dataset.pipeline
    assert arm.test_dataloader.dataset.test_mode is True
    assert {key.split('.')[0] for key in changed(isda, arm)} == {'train_dataloader', 'val_dataloader',
                                                                 'test_dataloader'}
    assert [key for key in changed(isda, arm) if key.startswith('train_dataloader')] == [
        f'train_dataloader.dataset.indices.{number}' for number in range(6)]


@exhaustive('indices, kept', [
    (None, [0, 1, 2, 3, 4]), (3, [0, 1, 2]), (7, [0, 1, 2, 3, 4]), (-4, [4]), ([7, 4, 0, 5], [4, 0]),
    ([-1, -8, 2, -4], [0, 2, 4])], ids=str)
def test_indices_keep_the_images_that_are_not_held_out(isda, indices, kept):
    isda.train_dataloader.dataset.indices = indices
    own = files(isda.train_dataloader)
    arm = hold_out(isda, 0.4)  # 4.8 of 8 files stay, so 5
    assert files(arm.train_dataloader) == [name for name in own if name in train(*range(5))] == train(*kept)
    assert files(arm.test_dataloader) == train(5, 6, 7)


@pytest.mark.parametrize('share', [0, 1, -0.25, 1.5])
def test_share_outside_0_to_1_is_rejected(isda, share):
    with pytest.raises(ValueError, match=f'the held-out share must be between 0 and 1, got {share}'):
        hold_out(isda, share)


@pytest.mark.parametrize(('share', 'indices', 'trained', 'evaluated'), [
    (0.05, None, 8, 0), (0.95, None, 0, 8), (0.25, [6, 7], 0, 2), (0.25, 0, 0, 2)])
def test_share_that_leaves_no_images_is_rejected(isda, share, indices, trained, evaluated):
    isda.train_dataloader.dataset.indices = indices
    with pytest.raises(ValueError, match=f'a held-out share of {share} leaves {trained} of 8 images for training and '
                                         f'{evaluated} for evaluation'):
        hold_out(isda, share)


@pytest.mark.parametrize('wrap', [
    lambda dataset: dict(type='RepeatDataset', times=2, dataset=dataset),
    lambda dataset: dict(type='ConcatDataset', datasets=[dataset, dataset])])
def test_wrapped_dataset_is_rejected(isda, wrap):
    isda.train_dataloader.dataset = wrap(isda.train_dataloader.dataset)
    kind = isda.train_dataloader.dataset.type
    with pytest.raises(ValueError, match=f'cannot hold out images of a {kind}, which wraps other datasets'):
        hold_out(isda, 0.25)


def test_each_seed_samples_different_images_that_are_not_held_out(isda):
    isda.train_dataloader.dataset.sample = 4
    arms = [hold_out(with_options(isda, seed), 0.25) for seed in (0, 1)]
    sampled = [files(arm.train_dataloader) for arm in arms]
    assert sampled[0] != sampled[1]
    assert all(len(files_of_seed) == 4 and set(files_of_seed) <= set(train(*range(6))) for files_of_seed in sampled)
    assert [files(arm.val_dataloader) for arm in arms] == [train(6, 7)] * 2
