"""A plan holds every run with its complete config, in an order in which backbones come first."""
import json
from pathlib import Path

import pytest
from helpers import tiny

from isda_seg.paper.reproduce import estimate
from isda_seg.paper.reproduce.catalogue import Row, Table, catalogue
from isda_seg.paper.reproduce.plan import jobs_of, make_plan, write_configs
from isda_seg.paper.reproduce.slurm import stages

RESNET = 'configs/classification/cifar10/resnet32{}_cifar10.py'


@pytest.fixture
def table7(tmp_path):
    def make(ranks=None, seeds=(0, 1), options=None):
        table = catalogue()['table7']
        return make_plan('table7', table._replace(rows=table.rows[:2]), tmp_path, tiny.ROOT, seeds, options, ranks)
    return make


def test_runs_of_a_seed_follow_each_other(table7):
    plan = table7()
    stems = [f'pspnet_r101-d8_{part}4xb2-40k-paper_cityscapes-769x769' for part in ('', 'isda_')]
    assert [planned.run.name for planned in plan.runs] == [f'{stem}/seed_{seed}' for seed in (0, 1) for stem in stems]
    assert [planned.run.cfg.randomness.seed for planned in plan.runs] == [0, 0, 1, 1]
    assert [planned.run.cfg.default_hooks.get('isda', {}).get('lambda_0') for planned in plan.runs] == [
        None, 7.5, None, 7.5]
    assert plan.runs[0].test.protocols == ('single', 'ms', 'ms-flip')


@pytest.mark.parametrize(('ranks', 'batch', 'used'), [(None, 2, 4), (4, 2, 4), (2, 4, 2), (1, 8, 1), (8, 1, 8)])
def test_batch_of_all_gpus_is_that_of_the_config(table7, ranks, batch, used):
    plan = table7(ranks, (0,))
    assert {(run.run.cfg.train_dataloader.batch_size, run.ranks) for run in plan.runs} == {(batch, used)}
    assert {estimate.iterations(run.run.cfg, run.ranks) for run in plan.runs} == {40_000}


def test_batch_that_does_not_divide_is_an_error(table7):
    with pytest.raises(ValueError, match='batches of 8 samples, which do not divide into 3 GPUs'):
        table7(3)


def test_batch_in_the_options_is_that_of_all_gpus(table7):
    plan = table7(2, (0,), {'train_dataloader.batch_size': 4})
    assert {run.run.cfg.train_dataloader.batch_size for run in plan.runs} == {2}


def test_detectors_start_from_the_backbone_of_the_first_seed(tmp_path):
    config = tmp_path / 'detector.py'
    config.write_text("model = dict(backbone=dict(init_cfg=dict(checkpoint='x')))\n"
                      "train_dataloader = dict(batch_size=2)\n")
    backbone = str(tiny.ROOT / RESNET.format('_isda'))
    table = Table('', (Row('detector', str(config), backbone=backbone),), ('bbox_mAP',))
    plan = make_plan('x', table, tmp_path / 'work', tmp_path, (3, 4))
    exported = tmp_path / 'work' / 'resnet32_isda_cifar10' / 'seed_3_backbone.pth'
    assert [run.run.name for run in plan.runs] == ['resnet32_isda_cifar10/seed_3', 'detector/seed_3', 'detector/seed_4']
    assert [run.run.cfg.model.backbone.init_cfg.checkpoint for run in plan.runs[1:]] == [str(exported)] * 2
    jobs = jobs_of(plan, tmp_path / 'tools')
    assert [job.name for job in jobs] == ['resnet32_isda_cifar10/seed_3', 'resnet32_isda_cifar10/seed_3_backbone',
                                          'detector/seed_3', 'detector/seed_4']
    assert [[need.name for need in job.after] for job in jobs] == [[], [jobs[0].name], [jobs[1].name], [jobs[1].name]]
    assert stages(jobs) == [[1], [2], [3, 4]]
    calls = []
    (jobs[0].folder / 'epoch_160.pth').parent.mkdir(parents=True)
    (jobs[0].folder / 'epoch_160.pth').touch()
    jobs[1].execute(lambda words, distributed: calls.append((words, distributed)))
    assert calls == [([str(tmp_path / 'tools' / 'export_backbone.py'), str(jobs[0].folder / 'epoch_160.pth'), '--to',
                       'mmdet', '--out', str(exported)], False)]
    assert jobs[1].done() is False
    exported.touch()
    assert jobs[1].done() is True


def test_configs_of_complete_runs_stay_and_others_are_checked(table7):
    plan = table7(seeds=(0,))
    jobs = jobs_of(plan, Path('tools'))
    jobs[0].folder.mkdir(parents=True)
    results = {'protocols': {name: {'mIoU': 1.0} for name in ('single', 'ms', 'ms-flip')}}
    (jobs[0].folder / 'results.json').write_text(json.dumps(results))
    configs = [job.folder.with_name(f'{job.folder.name}.py') for job in jobs]
    configs[1].parent.mkdir(parents=True)
    configs[1].write_text('lr = 2\n')
    with pytest.raises(ValueError, match='seed_0 holds a run with other settings'):
        write_configs(plan, jobs)
    assert [config.is_file() for config in configs] == [False, True]


def test_estimates_of_a_classifier_follow_from_data_and_schedule():
    table = Table('', (Row('plain', RESNET.format('')), Row('isda', RESNET.format('_isda'))), ('top1_error',))
    plain, isda = (run.run.cfg for run in make_plan('x', table, Path('work'), tiny.ROOT, (0,)).runs)
    assert estimate.iterations(plain, 1) == 160 * 391  # batches of 128 of 50,000 images
    assert estimate.kept_checkpoints(plain) == 3
    assert estimate.checkpoint_bytes(isda) - estimate.checkpoint_bytes(plain) == 8 * 10 * 64 + 4 * 10 * 64 ** 2
    assert estimate.checkpoint_bytes(plain) == pytest.approx(8 * 464_154, rel=0.01)  # parameters and momentum


@pytest.mark.parametrize('installed', [True, False])
def test_runs_write_tensorboard_events_where_it_is_installed(table7, monkeypatch, installed):
    """Only the command differs, not the config: the same run may continue elsewhere."""
    monkeypatch.setattr('isda_seg.paper.reproduce.plan.find_spec', lambda name: installed or None)
    calls = []

    def stop(words):
        calls.append(words)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs_of(table7(seeds=(0,)), Path('tools'))[0].execute(stop)
    options = ['--cfg-options', 'vis_backends.0.type=TensorboardVisBackend'] if installed else []
    assert calls[0][-1 - len(options):] == ['--resume', *options]
