"""Mean error of the last epochs: values, exact resume, log and results."""
import json
from types import SimpleNamespace

import pytest
import torch
from helpers import tiny, tiny_images
from helpers.exhaustive import exhaustive
from mmengine.config import Config
from mmengine.hooks import EMAHook

from isda_seg.classification.evaluation import evaluate, summary
from isda_seg.metrics.last_evaluations import LastEvaluationsHook, last_mean, with_last_mean
from isda_seg.runtime.launch import load_config

pytestmark = tiny.on_cpu

CONFIG = tiny_images.CLASSIFICATION / 'cifar10' / 'resnet32_isda_cifar10.py'
EPOCHS = 4


def change(cfg, workers=0):
    checkpoint = cfg.default_hooks.checkpoint
    tiny_images.shrink(cfg, train=60, batch=4, epochs=EPOCHS)
    cfg.train_dataloader.num_workers = workers
    cfg.val_dataloader.dataset.indices = cfg.test_dataloader.dataset.indices = 40
    cfg.default_hooks.checkpoint = dict(checkpoint, max_keep_ckpts=-1)
    cfg.default_hooks.last_evaluations.last = 3
    cfg.default_hooks.logger = dict(type='LoggerHook', interval=1)
    cfg.log_processor = dict(by_epoch=True, window_size=1)
    cfg.optim_wrapper.optimizer.lr = 0.01  # at the config's own a tiny run may guess one class after every epoch


@pytest.fixture(scope='module')
def whole(data, tmp_path_factory):
    """An uninterrupted run of four epochs with full covariances, a checkpoint after each."""
    work = tmp_path_factory.mktemp('whole')
    runner, steps = tiny.train(CONFIG, work, change=change)
    hook = next(hook for hook in runner.hooks if isinstance(hook, LastEvaluationsHook))
    return SimpleNamespace(work=work, state=tiny.full_state(runner), steps=steps, values=hook.values,
                           accuracies=training_accuracies(work))


def training_accuracies(work):
    """The mean over the steps of each epoch, from the log."""
    lines = [json.loads(line) for path in sorted(work.glob('*/vis_data/scalars.json'))
             for line in path.read_text().splitlines()]
    found = {}
    for line in lines:
        if 'accuracy' in line:
            found.setdefault(line['epoch'], []).append(line['accuracy'])
    return {epoch: sum(values) / len(values) for epoch, values in found.items()}


def validated(work):
    """top1_error after each epoch, from the log."""
    lines = [json.loads(line) for path in sorted(work.glob('*/vis_data/scalars.json'))
             for line in path.read_text().splitlines()]
    return {line['step']: line['top1_error'] for line in lines if 'top1_error' in line}


def log_text(work):
    return ''.join(path.read_text() for path in sorted(work.glob('*/*.log')))


def test_error_of_each_epoch_is_stored_and_the_mean_is_logged(whole):
    assert whole.values == validated(whole.work)
    assert list(whole.values) == [1, 2, 3, 4] and len(set(whole.values.values())) > 1
    mean = sum(whole.values[epoch] for epoch in (2, 3, 4)) / 3
    assert log_text(whole.work).count(f'mean top1_error of the last 3 evaluations: {mean:.4f}') == 1


@exhaustive('workers', [0, 2])
@exhaustive('saved', [1, 3])
def test_resume_is_bitwise_exact_including_the_mean(whole, tmp_path, saved, workers):
    path = whole.work / f'epoch_{saved}.pth'
    assert len(tiny.differing(tiny.saved_state(path), whole.state)) > 50
    runner, steps = tiny.train(CONFIG, tmp_path, resume=path, change=lambda cfg: change(cfg, workers))
    assert steps == whole.steps[15 * saved:]
    assert tiny.differing(tiny.full_state(runner), whole.state) == []
    assert whole.state['model.loss.statistics.covariance'].shape == (10, 64, 64)
    assert next(hook for hook in runner.hooks if isinstance(hook, LastEvaluationsHook)).values == whole.values


def test_resume_at_the_end_runs_the_missing_validation(whole, tmp_path):
    runner, steps = tiny.train(CONFIG, tmp_path, resume=whole.work / f'epoch_{EPOCHS}.pth', change=change)
    assert steps == []
    assert validated(tmp_path) == {EPOCHS: whole.values[EPOCHS]}
    assert 'mean top1_error of the last 3 evaluations' in log_text(tmp_path)
    assert tiny.differing(tiny.full_state(runner), whole.state) == []


def test_loading_weights_resets_the_values(whole, tmp_path):
    def other(cfg):
        change(cfg)
        cfg.load_from = str(whole.work / 'epoch_3.pth')
        cfg.train_cfg.max_epochs = 1
    runner, steps = tiny.train(CONFIG, tmp_path, change=other)
    assert len(steps) == 15
    assert list(next(hook for hook in runner.hooks if isinstance(hook, LastEvaluationsHook)).values) == [1]


def result_of(whole, tmp_path, epoch=EPOCHS, **options):
    cfg = load_config(str(CONFIG), work_dir=str(tmp_path))
    change(cfg)
    for key in [key for key in options if '.' in key]:
        cfg.merge_from_dict({key: options.pop(key)})
    return evaluate(cfg, str(CONFIG), str(whole.work / f'epoch_{epoch}.pth'), **options)


def test_results_contain_error_mean_and_training_runs(whole, tmp_path):
    for epoch in (3, 4):
        result = result_of(whole, tmp_path, epoch)
        single = result['protocols']['single']
        assert single['top1_error'] == pytest.approx(whole.values[epoch], abs=1e-4)
        assert single['top1_accuracy'] == pytest.approx(100 - whole.values[epoch], abs=1e-4)
        expected = sum(whole.values[number] for number in range(epoch - 2, epoch + 1)) / 3
        assert single['top1_error_last3'] == pytest.approx(expected, abs=1e-4)
        assert [entry['seed'] for entry in result['training']] == [0]
        assert result['training_accuracy'] == pytest.approx(whole.accuracies[epoch], abs=1e-4)
    assert summary(result, 'ResNet-8').splitlines()[0].split()[1::2] == ['top1_accuracy', 'top1_error', 'nll', 'ece',
                                                                       'top1_error_last3']


def test_mean_is_omitted_for_other_test_images(whole, tmp_path):
    assert 'top1_error_last3' not in result_of(whole, tmp_path, 2)['protocols']['single']
    other = result_of(whole, tmp_path, **{'test_dataloader.dataset.indices': 10})
    assert list(other['protocols']['single']) == ['top1_accuracy', 'top1_error', 'nll', 'ece']
    assert with_last_mean(dict(mIoU=1.0), Config(), {}) == dict(mIoU=1.0)
    assert last_mean({1: 4.0, 2: 2.0, 3: 3.0}, 3, 2) == 2.5 and last_mean({1: 4.0, 3: 3.0}, 3, 2) is None
    assert last_mean({500: 4.0, 1000: 2.0}, 1000, 2, every=500) == 3.0


def test_checkpoint_of_another_model_is_an_error(whole, tmp_path):
    torch.save({'decode_head.conv_seg.weight': torch.zeros(3)}, whole.work / 'epoch_99.pth')
    with pytest.raises(ValueError, match='epoch_99.pth holds no weights of fc'):
        result_of(whole, tmp_path, 99)


def test_the_tools_train_and_test_a_classifier(data, tmp_path, monkeypatch, capsys):
    options = ['--cfg-options', 'model.backbone.depth=8', 'train_cfg.max_epochs=1',
               'train_dataloader.dataset.indices=8', 'val_dataloader.dataset.indices=10',
               'test_dataloader.dataset.indices=10', 'train_dataloader.num_workers=0',
               'train_dataloader.persistent_workers=False']
    tiny.run_tool(monkeypatch, 'train.py', CONFIG, '--work-dir', tmp_path / 'work', '--amp', *options)
    tiny.run_tool(monkeypatch, 'test.py', CONFIG, tmp_path / 'work/epoch_1.pth', '--work-dir', tmp_path / 'test',
                  '--out', tmp_path / 'results.json', *options)
    result = json.loads((tmp_path / 'results.json').read_text())
    single = result['protocols']['single']
    assert single['top1_error'] == pytest.approx(100 - single['top1_accuracy']) and single['top1_error'] >= 0
    assert {'config', 'checkpoint', 'training', 'commit', 'versions', 'hardware', 'date'} <= set(result)
    assert 'top1_accuracy | top1_error | nll | ece\nresnet32_isda_cifar10 |' in capsys.readouterr().out
    saved = torch.load(tmp_path / 'work/epoch_1.pth', weights_only=False)['state_dict']
    assert int(saved['loss.statistics.count'].sum()) == 8  # trained in bfloat16
    assert saved['loss.statistics.covariance'].dtype == torch.float32 and saved['fc.weight'].dtype == torch.float32


def test_ema_observes_features_once_and_tests_averaged_weights(data, tmp_path):
    def with_ema(cfg):
        change(cfg)
        cfg.custom_hooks = [dict(type='EMAHook', momentum=0.25)]
    runner, steps = tiny.train(CONFIG, tmp_path, change=with_ema)
    averaged = next(hook for hook in runner.hooks if isinstance(hook, EMAHook)).ema_model.module
    assert int(runner.model.loss.statistics.count.sum()) == 60 * EPOCHS
    assert torch.equal(averaged.loss.statistics.covariance, runner.model.loss.statistics.covariance)
    saved = torch.load(tmp_path / f'epoch_{EPOCHS}.pth', weights_only=False)['state_dict']
    assert torch.equal(saved['fc.weight'], averaged.fc.weight)
    assert not torch.equal(averaged.fc.weight, runner.model.fc.weight)


def test_missing_metric_is_an_error():
    hook = LastEvaluationsHook(metric='top5_error')
    with pytest.raises(ValueError, match=r"averages 'top5_error', but the evaluator returns \['top1_error'\]"):
        hook.after_val_epoch(SimpleNamespace(epoch=1), dict(top1_error=3.0))
