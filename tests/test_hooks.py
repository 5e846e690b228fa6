"""Properties of ISDAHook in a Runner: ramp, log, EMA, validation, testing, and errors without the hook."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import reference
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, load_checkpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.testing import assert_close

from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core import linear_ramp
from isda_seg.hooks import ISDAHook
from isda_seg.losses import ISDALoss

CLASSES, CHANNELS, BATCH, LAMBDA_0 = 3, 5, 4, 7.5
ITERS, INTERVAL = 6, 2
ISDA = dict(type='ISDAHook')
EMA = dict(type='EMAHook', momentum=0.25)


@pytest.fixture(autouse=True)
def own_scope():
    """Plain MMEngine, whatever ran before; what a Runner sets here ends with the test."""
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield


class Head(nn.Module):
    """One softmax classifier and its loss, as a head of MMSeg or MMPretrain holds them."""

    def __init__(self, loss):
        super().__init__()
        self.num_classes = CLASSES
        self.fc = nn.Linear(CHANNELS, CLASSES)
        self.loss_module = loss


class Model(BaseModel):
    """An image classifier in miniature; features are the inputs, so that a test knows what is observed."""

    def __init__(self, loss=None):
        super().__init__()
        torch.manual_seed(0)
        self.head = Head(ISDALoss(LAMBDA_0) if loss is None else loss)

    def forward(self, inputs, labels=None, data_samples=None, mode='tensor'):
        logits = self.head.fc(inputs)
        if mode == 'loss':
            return dict(loss_isda=self.head.loss_module(logits, data_samples if labels is None else labels))
        return [dict(logits=row) for row in logits] if mode == 'predict' else logits


class LogitsMetric(BaseMetric):
    """Keeps the logits of a validation or test; reports their sum."""

    def process(self, data_batch, data_samples):
        self.results.extend(sample['logits'].double() for sample in data_samples)

    def compute_metrics(self, results):
        self.logits = torch.stack(results)
        return dict(total=float(self.logits.sum()))


class Spy(Hook):
    """Recorder of strength and counts in every training iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.strengths, self.counts, self.tables, self.sources = [], [], [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        loss = runner.model.head.loss_module
        self.strengths.append(loss.strength)
        self.counts.append(int(loss.statistics.count.sum()))
        self.tables.append(loss.table())
        self.sources.append(loss.sources)


def dataset(samples=24, key='labels'):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % CLASSES
    inputs = torch.randn(samples, CHANNELS, generator=generator) + labels[:, None]
    return [{'inputs': x, key: y} for x, y in zip(inputs, labels, strict=True)]


def loader(data, sampler):
    return dict(batch_size=BATCH, num_workers=0, dataset=data, collate_fn=dict(type='default_collate'),
                sampler=dict(type=sampler, shuffle=False))


def runner_in(folder, model=None, hooks=None, custom=(), data=None, by_epoch=False, interval=INTERVAL, backends=(),
              **changes):
    """A Runner on 6 batches: iteration by iteration once through, or twice in two epochs."""
    spy = Spy()
    test = dict(test_dataloader=loader(dataset(8), 'DefaultSampler'), test_cfg=dict(), test_evaluator=[LogitsMetric()])
    if by_epoch:
        train = dict(train_dataloader=loader(data or dataset(), 'DefaultSampler'),
                     train_cfg=dict(by_epoch=True, max_epochs=2))
    else:
        train = dict(train_dataloader=loader(data or dataset(), 'InfiniteSampler'),
                     train_cfg=dict(by_epoch=False, max_iters=ITERS, val_interval=3),
                     val_dataloader=loader(dataset(8), 'DefaultSampler'), val_cfg=dict(),
                     val_evaluator=[LogitsMetric()])
    runner = Runner(**{**dict(
        model=Model() if model is None else model, work_dir=str(folder), custom_hooks=[*custom, spy],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05)), default_scope='mmengine',
        default_hooks=dict(logger=dict(type='LoggerHook', interval=interval),
                           checkpoint=dict(type='CheckpointHook', interval=ITERS, by_epoch=False),
                           **(dict(isda=ISDA) if hooks is None else hooks)),
        log_processor=dict(by_epoch=by_epoch), experiment_name=f'{Path(folder).parent.name}-{Path(folder).name}',
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend'), *backends],
                        name=f'{Path(folder).parent.name}-{Path(folder).name}')), **train, **test, **changes})
    return runner, spy


def trained(folder, **kwargs):
    runner, spy = runner_in(folder, **kwargs)
    runner.train()
    return runner, spy


def scalars(folder):
    """The lines of the training log that hold a loss."""
    lines = [json.loads(line) for line in next(Path(folder).glob('*/vis_data/scalars.json')).read_text().splitlines()]
    return [line for line in lines if 'loss' in line]


def log_text(folder):
    return next(Path(folder).glob('*/*.log')).read_text()


def moments(loss):
    return [tensor.clone() for tensor in loss.statistics.moments]


def ema_of(runner):
    return next(hook for hook in runner.hooks if isinstance(hook, EMAHook)).ema_model.module


def observed_literally(data):
    features, labels = (torch.stack([sample[key] for sample in data]) for key in ('inputs', 'labels'))
    count, mean, covariance = reference.batch_moments(features, labels, CLASSES)
    return count, mean, reference.diagonal(covariance)


def assert_observed(loss, data):
    count, mean, covariance = observed_literally(data)
    assert torch.equal(loss.statistics.count, count)
    assert_close(loss.statistics.mean.double(), mean, rtol=1e-5, atol=1e-6)
    assert_close(loss.statistics.covariance.double(), covariance, rtol=1e-5, atol=1e-6)


# -- the ramp ----------------------------------------------------------------------------------------------------------

def test_the_strength_grows_linearly_per_iteration_to_lambda_0(tmp_path):
    runner, spy = trained(tmp_path)
    assert spy.strengths == [linear_ramp(i + 1, ITERS, LAMBDA_0) for i in range(ITERS)]
    assert spy.strengths[-1] == LAMBDA_0
    assert spy.counts == [BATCH * (i + 1) for i in range(ITERS)]
    assert_observed(runner.model.head.loss_module, dataset())


def test_by_epoch_the_strength_is_that_of_epochs_counted_from_0(tmp_path):
    assert trained(tmp_path, hooks=dict(isda=dict(type='ISDAHook', by_epoch=True)), by_epoch=True)[1].strengths == [
        *[0.0] * 6, *[LAMBDA_0 / 2] * 6]


def test_by_iteration_the_ramp_goes_on_over_epochs(tmp_path):
    assert trained(tmp_path, by_epoch=True)[1].strengths == [LAMBDA_0 * (i + 1) / 12 for i in range(12)]


@pytest.mark.parametrize('by_epoch', [False, True])
def test_a_constant_strength_is_lambda_0_from_the_first_iteration_on(tmp_path, by_epoch):
    constant = dict(isda=dict(type='ISDAHook', ramp='constant', by_epoch=by_epoch))
    runner, spy = trained(tmp_path, hooks=constant, by_epoch=by_epoch)
    assert spy.strengths == [LAMBDA_0] * (12 if by_epoch else ITERS)
    assert int(runner.model.head.loss_module.statistics.count.sum()) == BATCH * len(spy.strengths)


def test_the_hook_trains_like_a_plain_loop_of_eq_7(tmp_path):
    runner, _ = trained(tmp_path)
    fc, data = Model().head.fc.double(), dataset()
    for i in range(ITERS):
        rows = data[BATCH * i:BATCH * (i + 1)]
        features, labels = (torch.stack([row[key] for row in rows]) for key in ('inputs', 'labels'))
        covariance = observed_literally(data[:BATCH * (i + 1)])[2]
        loss = reference.isda_cross_entropy(fc(features.double()), labels, fc.weight, covariance,
                                            reference.linear_ramp(i + 1, ITERS, LAMBDA_0)).mean()
        for parameter, gradient in zip(fc.parameters(), torch.autograd.grad(loss, list(fc.parameters())), strict=True):
            parameter.data -= 0.05 * gradient
    assert_close(runner.model.head.fc.weight.detach().double(), fc.weight.detach(), rtol=1e-4, atol=1e-5)


def test_a_resumed_run_continues_ramp_and_statistics(tmp_path):
    whole, _ = trained(tmp_path / 'whole')
    hooks = dict(isda=ISDA, checkpoint=dict(type='CheckpointHook', interval=3, by_epoch=False))
    trained(tmp_path / 'first', default_hooks=hooks)
    runner, spy = runner_in(tmp_path / 'second', load_from=str(tmp_path / 'first' / 'iter_3.pth'), resume=True)
    runner.train()
    assert spy.strengths == [linear_ramp(i + 1, ITERS, LAMBDA_0) for i in range(3, ITERS)]
    assert spy.counts == [BATCH * (i + 1) for i in range(3, ITERS)]
    assert int(runner.model.head.loss_module.statistics.count.sum()) == int(
        whole.model.head.loss_module.statistics.count.sum())


def test_a_hook_in_custom_hooks_trains_the_same(tmp_path):
    default, custom = trained(tmp_path / 'default')[1], trained(tmp_path / 'custom', hooks={}, custom=[ISDA])[1]
    assert (custom.strengths, custom.counts) == (default.strengths, default.counts)


# -- the log -----------------------------------------------------------------------------------------------------------

def assert_logged(lines, spy, prefix='head.isda_'):
    assert [line['step'] for line in lines] == list(range(INTERVAL, ITERS + 1, INTERVAL))
    for line in lines:
        table = spy.tables[line['step'] - 1].double()
        assert line[f'{prefix}strength'] == spy.strengths[line['step'] - 1]
        assert line[f'{prefix}table_max'] == pytest.approx(float(table.max()))
        wrong_classes = len(table) * (CLASSES - 1)  # the row of each sample, 0 at its own class
        assert line[f'{prefix}table_mean'] == pytest.approx(float(table.sum()) / wrong_classes)


def test_strength_and_table_are_logged_with_the_loss(tmp_path):
    _, spy = trained(tmp_path)
    assert_logged(scalars(tmp_path), spy)
    assert 'head.isda_strength: 7.5000' in log_text(tmp_path)


def test_tensorboard_shows_what_the_log_shows(tmp_path):
    _, spy = trained(tmp_path, backends=[dict(type='TensorboardVisBackend')])
    events = EventAccumulator(str(next(tmp_path.glob('*/vis_data'))))
    events.Reload()
    curves = {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()['scalars']}
    for line in scalars(tmp_path):
        for key in ('head.isda_strength', 'head.isda_table_mean', 'head.isda_table_max'):
            assert curves[key][line['step']] == pytest.approx(line[key])
    assert sorted(curves['head.isda_strength']) == [2, 4, 6]


@pytest.mark.parametrize('interval, steps', [(4, [4, 10]), (10, [6, 12])])
def test_the_last_iteration_of_an_epoch_logs_its_strength(tmp_path, interval, steps):
    _, spy = trained(tmp_path, by_epoch=True, interval=interval)
    lines = scalars(tmp_path)
    assert [line['step'] for line in lines] == steps
    assert [line['head.isda_strength'] for line in lines] == [spy.strengths[step - 1] for step in steps]


def test_a_loss_of_the_model_itself_is_logged_without_a_prefix(tmp_path):
    class Flat(Model):
        def __init__(self):
            super().__init__()
            head, self.num_classes = self.head, CLASSES
            self.fc, self.loss_module = head.fc, head.loss_module
            self.__dict__['head'] = self._modules.pop('head')  # same modules, held by the model

    _, spy = trained(tmp_path, model=Flat())
    assert_logged(scalars(tmp_path), spy, prefix='isda_')


def test_non_finite_features_are_ignored_and_counted_in_the_log(tmp_path):
    data = dataset()
    data[5] = dict(data[5], inputs=torch.full((CHANNELS,), float('inf')))
    data[21] = dict(data[21], inputs=torch.full((CHANNELS,), float('nan')))
    runner, _ = trained(tmp_path, data=data)
    assert_observed(runner.model.head.loss_module, [row for i, row in enumerate(data) if i not in (5, 21)])
    lines = [line.split('ISDA: ')[1] for line in log_text(tmp_path).splitlines() if 'not finite' in line]
    assert lines == [f'{n} labelled features were not finite. The statistics ignore them.' for n in (1, 2)]


@pytest.mark.parametrize('hook, message', [
    (ISDA, 'the model has no ISDALoss. Set lambda_0 to wrap every'),
    (dict(ISDA, lambda_0=LAMBDA_0), r'no loss to wrap. head \(Head\): loss_module is not wrapped: OwnLoss is')])
def test_a_model_without_a_supported_loss_is_an_error_before_training(tmp_path, hook, message):
    class OwnLoss(nn.Module):
        pass

    runner, spy = runner_in(tmp_path, model=Model(OwnLoss()), hooks=dict(isda=hook))
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert spy.strengths == []


# -- the hook key------------------------------------------------------------------------------------------------------

KEY = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=LAMBDA_0))


def same_training(*runners):
    first, second = (runner.model.state_dict() for runner in runners)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_the_hook_key_trains_like_the_loss_in_the_model(tmp_path):
    named, spy = trained(tmp_path / 'named', model=Model(ISDALoss(LAMBDA_0, base=SoftmaxFocalLoss())))
    one_key, key_spy = trained(tmp_path / 'one', model=Model(SoftmaxFocalLoss()), hooks=KEY)
    assert same_training(named, one_key) is True
    assert (key_spy.strengths, key_spy.counts) == (spy.strengths, spy.counts)
    assert_logged(scalars(tmp_path / 'one'), key_spy)
    assert ('ISDA: head (Head): loss_module is attached to fc, 3 classes x 5 channels, lambda_0=7.5, '
            'covariance=diagonal, resolution=label') in log_text(tmp_path / 'one')


def test_lambda_0_zero_equals_the_baseline_bitwise(tmp_path):
    plain, _ = trained(tmp_path / 'plain', model=Model(SoftmaxFocalLoss()), hooks={}, custom_hooks=[])
    zero, _ = trained(tmp_path / 'zero', model=Model(SoftmaxFocalLoss()), hooks=dict(isda=dict(ISDA, lambda_0=0)))
    expected = plain.model.state_dict()
    state = zero.model.state_dict()
    assert all(torch.equal(state[key], value) for key, value in expected.items())
    assert sorted(set(state) - set(expected)) == [f'head.loss_module.statistics.{name}'
                                                  for name in ('count', 'covariance', 'mean')]
    losses, expected = ([line['loss'] for line in scalars(tmp_path / name)] for name in ('zero', 'plain'))
    assert losses == expected


def test_a_checkpoint_of_a_loss_in_the_config_resumes_with_the_hook_key(tmp_path):
    trained(tmp_path / 'first', custom=[EMA], default_hooks=dict(
        isda=ISDA, checkpoint=dict(type='CheckpointHook', interval=3, by_epoch=False)))
    resume = dict(load_from=str(tmp_path / 'first' / 'iter_3.pth'), resume=True, custom=[EMA])
    runners = []
    for name, model, hooks in (('named', Model(), dict(isda=ISDA)), ('one', Model(MeanCrossEntropy()), KEY)):
        runner, spy = runner_in(tmp_path / name, model=model, hooks=hooks, **resume)
        runner.train()
        runners.append(runner)
        assert spy.counts == [BATCH * (i + 1) for i in range(3, ITERS)]
    assert same_training(*runners) is True


# -- files of the batch ------------------------------------------------------------------------------------------------

class Sample:
    """The file names of a data sample of MMSegmentation."""

    def __init__(self, **files):
        self.__dict__.update(files)


def test_the_loss_names_files_whose_labels_transforms_may_have_changed(tmp_path):
    hook, runner = ISDAHook(), runner_in(tmp_path)[0]
    runner.build_train_loop(runner._train_loop)
    hook.before_run(runner)
    samples = [Sample(seg_map_path='gt/a.png', img_path='a.png'), Sample(img_path='b.png'), Sample()]
    hook.before_train_iter(runner, 0, dict(inputs=None, data_samples=samples))
    assert runner.model.head.loss_module.sources == [
        f'{path} after transforms' for path in ('gt/a.png', 'b.png', '?')]
    hook.before_train_iter(runner, 0, None)
    assert runner.model.head.loss_module.sources is None


def test_labels_as_one_tensor_of_data_samples_train_as_well(tmp_path):
    runner, spy = trained(tmp_path, data=dataset(key='data_samples'))
    assert spy.sources == [None] * ITERS
    assert_observed(runner.model.head.loss_module, dataset())


# -- EMA, validation, testing ------------------------------------------------------------------------------------------

@pytest.mark.parametrize('order', ['isda first', 'ema first', 'isda by default'])
def test_ema_statistics_are_observed_once_and_copied(tmp_path, order):
    hooks = {} if order != 'isda by default' else dict(isda=ISDA)
    custom = {'isda first': [ISDA, EMA], 'ema first': [EMA, ISDA], 'isda by default': [EMA]}[order]
    runner, spy = trained(tmp_path / 'ema', hooks=hooks, custom=custom)
    assert spy.counts == [BATCH * (i + 1) for i in range(ITERS)]
    assert_observed(runner.model.head.loss_module, dataset())
    source, averaged = runner.model.head, ema_of(runner).head
    assert all(torch.equal(a, b) for a, b in zip(moments(averaged.loss_module), moments(source.loss_module),
                                                 strict=True))
    assert [hook.__self__ for hook in averaged.fc._forward_pre_hooks.values()] == [averaged.loss_module]
    assert [hook.__self__ for hook in source.fc._forward_pre_hooks.values()] == [source.loss_module]
    without, _ = trained(tmp_path / 'without')
    assert torch.equal(source.fc.weight, without.model.head.fc.weight)
    assert not torch.equal(averaged.fc.weight, source.fc.weight)


def test_validation_with_ema_observes_nothing(tmp_path):
    runner, _ = trained(tmp_path, custom=[EMA])
    inputs = torch.stack([row['inputs'] for row in dataset(8)])
    with torch.no_grad():
        expected = ema_of(runner).eval()(inputs, mode='tensor')
    assert_close(runner.val_evaluator.metrics[0].logits, expected.double())
    assert int(runner.model.head.loss_module.statistics.count.sum()) == BATCH * ITERS


def test_validation_predicts_with_the_plain_logits_and_observes_nothing(tmp_path):
    runner, spy = trained(tmp_path)
    fc = runner.model.head.fc
    inputs = torch.stack([row['inputs'] for row in dataset(8)])
    assert_close(runner.val_evaluator.metrics[0].logits, (inputs @ fc.weight.T + fc.bias).detach().double())
    assert spy.counts == [BATCH * (i + 1) for i in range(ITERS)]  # validated after iteration 3 as well


def test_testing_after_training_keeps_statistics_and_one_hook(tmp_path):
    runner, _ = trained(tmp_path)
    before, fc = moments(runner.model.head.loss_module), runner.model.head.fc
    metrics = runner.test()
    inputs = torch.stack([row['inputs'] for row in dataset(8)])
    logits = (inputs @ fc.weight.T + fc.bias).detach().double()
    assert metrics['total'] == pytest.approx(float(logits.sum()), rel=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(moments(runner.model.head.loss_module), before, strict=True))
    assert len(fc._forward_pre_hooks) == 1


def test_inference_on_an_isda_checkpoint_needs_no_hook(tmp_path):
    runner, _ = trained(tmp_path / 'train')
    runner.test()
    checkpoint = str(tmp_path / 'train' / f'iter_{ITERS}.pth')
    other, _ = runner_in(tmp_path / 'test', hooks={}, load_from=checkpoint)
    other.test()
    assert torch.equal(other.test_evaluator.metrics[0].logits, runner.test_evaluator.metrics[0].logits)
    assert all(torch.equal(a, b) for a, b in zip(moments(other.model.head.loss_module),
                                                 moments(runner.model.head.loss_module), strict=True))

    plain = Model(SoftmaxFocalLoss())
    load_checkpoint(plain, checkpoint, map_location='cpu')
    inputs = torch.stack([row['inputs'] for row in dataset(8)])
    assert_close(plain(inputs).detach().double(), runner.test_evaluator.metrics[0].logits)


@pytest.mark.parametrize('align_corners', [False, True])
def test_the_loss_aligns_corners_as_its_head_does(tmp_path, align_corners):
    class MapHead(nn.Module):
        def __init__(self):
            super().__init__()
            self.num_classes, self.align_corners = CLASSES, align_corners
            self.conv_seg, self.loss_decode = nn.Conv2d(CHANNELS, CLASSES, 1), ISDALoss(LAMBDA_0)

    class MapModel(BaseModel):
        def __init__(self):
            super().__init__()
            self.head = MapHead()

        def forward(self, inputs, labels, mode):
            logits = F.interpolate(self.head.conv_seg(inputs), size=labels.shape[1:], mode='bilinear',
                                   align_corners=align_corners)
            return dict(loss_isda=self.head.loss_decode(logits, labels))  # compares them with its own at the first step

    labels = torch.arange(9 * 9).view(9, 9) % CLASSES
    data = [dict(inputs=torch.randn(CHANNELS, 3, 3), labels=labels) for _ in range(24)]
    runner, _ = trained(tmp_path, model=MapModel(), data=data, custom_hooks=[], val_cfg=None, val_dataloader=None,
                        val_evaluator=None)
    at = [0, 4, 8] if align_corners else [1, 4, 7]
    seen = torch.bincount(labels[at][:, at].flatten(), minlength=CLASSES)
    assert torch.equal(runner.model.head.loss_decode.statistics.count, BATCH * ITERS * seen)


def test_a_copied_model_has_separate_statistics(tmp_path):
    runner, _ = trained(tmp_path)
    twin, batch = copy.deepcopy(runner.model).train(), dataset(BATCH)
    twin(*(torch.stack([row[key] for row in batch]) for key in ('inputs', 'labels')), mode='loss')
    assert int(twin.head.loss_module.statistics.count.sum()) == BATCH * (ITERS + 1)
    assert int(runner.model.head.loss_module.statistics.count.sum()) == BATCH * ITERS


# -- bad input ---------------------------------------------------------------------------------------------------------

def test_without_the_hook_the_first_iteration_names_default_hooks(tmp_path):
    runner, spy = runner_in(tmp_path, hooks={})
    message = r"add default_hooks = dict\(isda=dict\(type='isda_seg.hooks.ISDAHook'\)\) to the config"
    with pytest.raises(RuntimeError, match=message):
        runner.train()
    assert spy.strengths == []


def test_a_head_with_two_classifiers_is_an_error_before_training(tmp_path):
    model = Model()
    model.head.extra = nn.Linear(CHANNELS, CLASSES)
    runner, spy = runner_in(tmp_path, model=model)
    with pytest.raises(ValueError, match=r"head \(Head\): ISDA needs exactly one softmax classifier .*"
                                         r"found 2 among \{'fc': 3, 'extra': 3\}"):
        runner.train()
    assert spy.strengths == []


def test_a_label_outside_the_classes_stops_the_first_iteration(tmp_path):
    data = dataset()
    data[2] = dict(data[2], labels=torch.tensor(9))
    runner, spy = runner_in(tmp_path, data=data)
    with pytest.raises(ValueError, match=r'label 9 is neither one of the 3 classes \(0\.\.2\)'):
        runner.train()
    assert spy.strengths == []


def test_deferred_label_errors_are_raised_at_the_logging_interval(tmp_path):
    class Counting(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if batch_idx == 2:
                runner.model.head.loss_module._label_errors.mask_invalid(torch.tensor([0, 77]), CLASSES, 255)

    counting = Counting()
    counting.priority = 0  # before ISDAHook
    runner, spy = runner_in(tmp_path, custom=[counting])
    with pytest.raises(ValueError, match='labels such as 77 are neither'):
        runner.train()
    assert len(spy.strengths) == 3  # logged after iteration 4


def test_a_checkpoint_of_other_classes_is_an_error_with_both_shapes(tmp_path):
    trained(tmp_path / 'train')
    model = Model()
    model.head.num_classes, model.head.fc = CLASSES + 1, nn.Linear(CHANNELS, CLASSES + 1)
    runner, _ = runner_in(tmp_path / 'other', model=model, load_from=str(tmp_path / 'train' / f'iter_{ITERS}.pth'))
    with pytest.raises(ValueError, match=r'head.loss_module.statistics: the checkpoint holds a mean of shape \(3, 5\) '
                                         r'.*this model needs \(4, 5\)'):
        runner.train()


def test_a_ramp_by_epoch_without_epochs_is_an_error():
    runner = SimpleNamespace(max_epochs=1)
    with pytest.raises(ValueError, match='by_epoch=True.*at least 2 epochs'):
        ISDAHook(by_epoch=True).before_train(runner)
    assert ISDAHook(by_epoch=False).before_train(runner) is None
    assert ISDAHook(by_epoch=True, ramp='constant').before_train(runner) is None


@pytest.mark.parametrize('used', [True, False])
def test_the_log_announces_the_compilation_of_kernels_where_they_are_used(used, tmp_path, monkeypatch):
    monkeypatch.setattr('isda_seg.core.kernels.used_on', lambda device: used)
    runner, _ = runner_in(tmp_path)
    lines = []
    monkeypatch.setattr(runner.logger, 'info', lines.append)
    hook = next(hook for hook in runner.hooks if isinstance(hook, ISDAHook))
    hook.before_run(runner)
    hook.before_train(runner)
    assert sum('compile GPU kernels' in line for line in lines) == used


def test_an_unknown_ramp_is_an_error():
    with pytest.raises(ValueError, match="Unknown ramp 'cosine'. Choose one of 'linear', 'constant'"):
        ISDAHook(ramp='cosine')
