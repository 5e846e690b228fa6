"""Selection of tau on held-out images, and its figure and table."""
import copy
from pathlib import Path

import pytest
import torch
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.config import Config

from isda_seg import compat
from isda_seg.paper.prior import check_same_data, image_paths, plan, tau_grid, unseen_dataset
from isda_seg.paper.prior_report import class_table, draw_prior, summary
from isda_seg.paper.series.run_options import hold_out

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope='module')
def cfg(tmp_path_factory):
    """The tiny plain config with 8 training images."""
    compat.prepare()
    return Config.fromfile(tiny.write_configs(tmp_path_factory.mktemp('prior'), train=8)[0])


def with_images(cfg, **keys):
    cfg = copy.deepcopy(cfg)
    cfg.train_dataloader.dataset.update(keys)
    return cfg


def numbers(cfg, dataset):
    return [int(Path(path).stem) for path in image_paths(cfg, dataset)]


def trained_with(cfg):
    """What a checkpoint says of its training."""
    return dict(cfg=cfg.pretty_text)


@exhaustive('share', [0.25, 0.5])
def test_held_out_images_of_a_sweep_are_unseen(cfg, share):
    held = hold_out(cfg, share)
    for given in (cfg, held):  # the original config, or that of the run
        found = unseen_dataset(given, share, trained_with(held))
        assert numbers(cfg, found) == numbers(cfg, held.test_dataloader.dataset)
        assert found['pipeline'] == cfg.test_dataloader.dataset.pipeline


def test_larger_share_keeps_only_unseen_images(cfg):
    assert numbers(cfg, unseen_dataset(cfg, 0.75, trained_with(hold_out(cfg, 0.25)))) == [6, 7]


def test_images_not_sampled_by_the_training_seed_are_unseen(cfg):
    by_seed = {seed: with_images(cfg, sample=4, sample_seed=seed) for seed in (0, 7)}
    evaluated = {seed: numbers(cfg, metric.train_dataloader.dataset) for seed, metric in by_seed.items()}
    assert evaluated[0] != evaluated[7]
    found = numbers(cfg, unseen_dataset(by_seed[0], 0.75, trained_with(by_seed[7])))
    assert found == [number for number in range(2, 8) if number not in evaluated[7]]


def test_checkpoint_without_config_uses_the_given_config(cfg):
    assert numbers(cfg, unseen_dataset(with_images(cfg, indices=[0, 1, 7]), 0.25, {})) == [6]


def test_moved_data_is_found_by_the_given_config(cfg):
    before = with_images(hold_out(cfg, 0.25), data_root='/data/of/another/machine')
    assert numbers(cfg, unseen_dataset(cfg, 0.25, trained_with(before))) == [6, 7]


@pytest.mark.parametrize('change, message', [
    (dict(), 'was trained on all of the last 25 % of the training images'),
    (dict(type='RepeatDataset', dataset=dict()), 'cannot hold out images of a RepeatDataset')])
def test_missing_unseen_images_are_an_error_with_the_reason(cfg, change, message):
    given = with_images(cfg, **change)
    with pytest.raises(ValueError, match=message):
        unseen_dataset(given, 0.25, trained_with(given))


def test_equal_file_names_in_two_folders_are_different_images(cfg):
    other = with_images(cfg, data_prefix=dict(img_path='val', seg_map_path='valannot'))  # 0.png to 2.png
    assert numbers(cfg, unseen_dataset(other, 0.4, trained_with(cfg))) == [2]


def test_taus_are_sorted_and_include_0():
    assert tau_grid([1, 0.5, 0.5]) == [0, 0.5, 1]


MODELS = [
    dict(name='plain', images=3, tau=0.5, chosen_on=dict(images=2, drawn=False), note='', mean_AP=55.0,
         AP=dict(road=90.0, pole=20.04, void=None),
         curve={'0': dict(mIoU=40.0, mAcc=50.0, aAcc=80.0, IoU=dict(road=75.0, pole=5.0, void=None)),
                '0.5': dict(mIoU=42.0, mAcc=60.0, aAcc=79.0, IoU=dict(road=74.0, pole=10.0, void=None))}),
    dict(name='isda', images=3, tau=None, chosen_on=None, note='it saw all images', mean_AP=56.25,
         AP=dict(road=90.5, pole=22.0, void=None),
         curve={'0': dict(mIoU=39.0, mAcc=49.0, aAcc=81.0, IoU=dict(road=76.0, pole=2.0, void=None)),
                '0.5': dict(mIoU=43.0, mAcc=61.0, aAcc=80.0, IoU=dict(road=75.0, pole=11.0, void=None))})]


def test_class_table_is_aligned_and_shows_the_selected_tau():
    assert class_table(MODELS).splitlines() == [
        'class  AP A  AP B  AP B - A  IoU A, tau 0  IoU A, tau 0.5  IoU B, tau 0',
        'road   90.0  90.5      +0.5          75.0            74.0          76.0',
        'pole   20.0  22.0      +2.0           5.0            10.0           2.0',
        'void      -     -         -             -               -             -',
        'mean   55.0  56.2      +1.2          40.0            42.0          39.0']
    assert class_table(MODELS[:1]).splitlines()[0] == 'class    AP  IoU, tau 0  IoU, tau 0.5'


def test_summary_shows_the_selected_tau_or_the_reason():
    lines = summary(MODELS, 'val').splitlines()
    assert lines[:6] == [
        'val split, 3 images, in per cent', 'A: plain',
        '  tau 0.5 has the highest mIoU on 2 held-out training images',
        '  tau 0: mIoU 40.0, mean accuracy 50.0, pixel accuracy 80.0',
        '  tau 0.5: mIoU 42.0, mean accuracy 60.0, pixel accuracy 79.0', 'B: isda']
    assert lines[6] == '  tau is not selected: it saw all images'


def test_figure_shows_measures_over_tau_and_marks_the_selection(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr('isda_seg.paper.prior_report.save_figure', lambda figure, out: shown.append(figure))
    draw_prior(MODELS, 'val', tmp_path / 'prior.png')
    evaluated = [[line.get_xydata().tolist() for line in axis.get_lines()] for axis in shown[0].axes]
    assert [axis.get_ylabel() for axis in shown[0].axes] == ['mIoU (%)', 'mean accuracy (%)', 'pixel accuracy (%)']
    assert evaluated[0] == [[[0, 40], [0.5, 42]], [[0.5, 42]], [[0, 39], [0.5, 43]]]
    assert evaluated[2] == [[[0, 80], [0.5, 79]], [[0.5, 79]], [[0, 81], [0.5, 80]]]


def test_models_with_other_images_are_rejected(cfg, tmp_path):
    torch.save({'decode_head.conv_seg.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    metric, other = (plan(split, cfg, 'a.py', str(tmp_path / 'a.pth'), split, None) for split in ('test', 'train'))
    check_same_data([metric, metric])
    with pytest.raises(ValueError, match='test and train have different test images or numbers of classes'):
        check_same_data([metric, other])
