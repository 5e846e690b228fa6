"""Classification in the tables: errors, where lower is better and the text says so; splits held out for a sweep."""
import cv2
import pytest
from helpers import tiny, tiny_images
from mmengine.config import Config
from mmengine.registry import DATASETS

from isda_seg.paper.series.measure_names import display_names
from isda_seg.paper.series.paired import compare_arms, main_measure, measures
from isda_seg.paper.series.paired_figure import draw_paired
from isda_seg.paper.series.paired_report import paired_table
from isda_seg.paper.series.run_options import hold_out, training_images
from isda_seg.paper.series.sweep import draw_sweep, summarize, sweep_runs

CONFIG = tiny_images.CLASSIFICATION / 'cifar10_subset' / 'resnet32_isda_cifar10-subset.py'
PLAIN, ISDA = {'0': (50.0, 52.0), '1': (51.0, 52.5)}, {'0': (48.0, 50.0), '1': (50.0, 51.0)}


def result(error, mean):
    single = dict(top1_accuracy=100 - error, top1_error=error, top1_error_last10=mean)
    run = dict(seed=3, commit='a1', hardware='a machine', date='2026-01-02T03:04:05')
    return dict(protocols=dict(single=single), config=str(CONFIG), training=[run])


def series():
    """The result file of two pairs."""
    runs = {stem: {seed: result(*errors) for seed, errors in arm.items()}
            for stem, arm in (('resnet32', PLAIN), ('resnet32_isda', ISDA))}
    path = 'configs/classification/cifar10_subset/resnet32'
    return dict(kind='paired', plain=f'{path}.py', isda=[f'{path}_isda.py'], seeds=[0, 1], options={}, runs=runs,
                comparisons={'resnet32_isda': compare_arms(runs['resnet32'], runs['resnet32_isda'])})


def test_classifier_errors_begin_with_the_mean_of_the_last_epochs():
    assert list(measures(result(50.0, 52.0)).items()) == [('top1_error_last10', 52.0), ('top1_error', 50.0)]
    assert measures(dict(protocols=dict(single=dict(top1_error=3.0, top5_error=1.0)))) == dict(top1_error=3.0)


def test_the_table_of_a_pair_states_that_lower_is_better():
    lines = paired_table(series()).splitlines()
    assert lines[0] == ('`resnet32_isda` minus `resnet32`, test error in per cent (lower is better), seeds 0, 1, '
                        'trained at commit a1:')
    assert [line.split(' | ')[:4] for line in lines[4:]] == [
        ['| top1_error_last10', '52.25', '50.50', '-2.00 -1.50'], ['| top1_error', '50.50', '49.00', '-2.00 -1.00']]


def test_the_figure_of_a_pair_needs_no_classes(tmp_path):
    draw_paired(series(), tmp_path / 'pair.png')
    picture = cv2.imread(str(tmp_path / 'pair.png'))
    assert picture.shape == (456, 1200, 3)
    assert (picture[:, 700:] == 255).all() and not (picture[:, :500] == 255).all()


def test_a_sweep_names_the_error_that_it_compares(tmp_path):
    results = {'seed_7/lambda_0=0': result(50.0, 52.0), 'seed_7/lambda_0=0.5': result(48.0, 49.0)}
    assert display_names(main_measure(results.values())).measure == 'top1_error_last10'
    assert display_names(main_measure([dict(protocols=dict(single=dict(mIoU=3.0)))])).measure == 'mIoU'
    curves = summarize(results, [0, 0.5], {}, [7])
    assert curves == {'ISDA': {'0': [52.0], '0.5': [49.0]}}
    for name in ('mIoU', main_measure(results.values())):
        draw_sweep(dict(curves=curves, images=9, seed=100, measure=name), tmp_path / f'{name}.png')
    one, other = (cv2.imread(str(tmp_path / f'{name}.png')) for name in ('mIoU', 'top1_error_last10'))
    assert (one[:, :40] != other[:, :40]).any()  # the axis says which


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    tiny_images.write_cifar(tmp_path)
    monkeypatch.setenv('ISDA_SEG_DATA', str(tmp_path))
    return Config.fromfile(CONFIG)


def images(loader):
    dataset = DATASETS.build(loader.dataset)
    return sorted(dataset.get_data_info(index)['img'].tobytes() for index in range(len(dataset)))


def test_held_out_images_cover_all_classes_and_are_never_trained_on(cfg):
    everything = images(cfg.train_dataloader)
    arm = hold_out(cfg, 0.2)
    assert images(arm.val_dataloader) == images(arm.test_dataloader)
    assert sorted(images(arm.train_dataloader) + images(arm.val_dataloader)) == everything and len(everything) == 100
    held = DATASETS.build(arm.val_dataloader.dataset)
    assert sorted(held.get_data_info(index)['gt_label'] for index in range(20)) == sorted([*range(10)] * 2)
    assert (training_images(arm), training_images(cfg)) == (80, 100)
    assert held.test_mode and len(held.pipeline.transforms) == 1  # as the config tests


def test_a_sweep_holds_out_the_same_images_in_every_run(cfg):
    first, second = (run.cfg for run in sweep_runs(cfg, [0, 0.5], {}, [100], 0.1))
    flat = [tiny.flat(run.to_dict()) for run in (first, second)]
    assert tiny.differing(*flat) == ['default_hooks.isda.lambda_0']
    assert (first.train_dataloader.dataset.split, first.test_dataloader.dataset.split) == ('train_rest', 'held_out')


@pytest.mark.parametrize('share', [0.001, 0.999])
def test_a_held_out_fraction_that_leaves_no_images_is_an_error(cfg, share):
    with pytest.raises(ValueError, match=f'cannot hold out {round(100 * share)} of 100 training images'):
        hold_out(cfg, share)


def test_a_split_with_indices_is_an_error(cfg):
    cfg.train_dataloader.dataset.indices = 50
    with pytest.raises(ValueError, match='cannot hold out images of a CIFARDataset with both split and indices'):
        hold_out(cfg, 0.2)
