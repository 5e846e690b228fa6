"""The criterion by kernels, under Triton's interpreter: what the criterion on a CPU gives, or a fallback to it."""
import copy
import warnings
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from helpers.interpreter import kernels_on_a_cpu
from helpers.two_ranks import two_ranks
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from isda_seg.attach import attach
from isda_seg.attachment import kernel_step
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core import isda_cross_entropy, kernels
from isda_seg.core.ops.upsampled import resize
from isda_seg.criterion import ISDACriterion

pytestmark = pytest.mark.triton

IGNORE, LARGE = 255, (17, 13)


def batch(step, small=(5, 4), large=LARGE, images=2):
    generator = torch.Generator().manual_seed(step)
    labels = torch.randint(5, (images, -(-large[0] // 4), -(-large[1] // 4)), generator=generator)
    labels = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :large[0], :large[1]].contiguous()
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = IGNORE
    return torch.randn(images, 20, *small, generator=generator), labels


class Head(nn.Module):
    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(0)
        self.classifier, self.loss = nn.Conv2d(20, 5, 1), ISDACriterion(ignore_index=IGNORE, **options)
        self.loss.strength = 1.7

    def step(self, features, labels, align_corners=True):
        self.zero_grad()
        return self.loss(resize(self.classifier(features), labels.shape[1:], align_corners), labels)


class Hardest(nn.Module):
    """A base loss that the kernels do not know: the mean over the harder half of the pixels."""

    softmax = True

    def forward(self, logits, labels, ignore_index=-100):
        entropy = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none').flatten()
        return entropy.topk(len(entropy) // 2).values.mean()


def train(head, steps, gpu, align_corners=True, **sizes):
    """Loss, gradient and statistics after each step, and the number of calls that the kernels answered."""
    attach(head.loss, head.classifier, align_corners=align_corners)
    found, answered = [], 0
    for step in range(steps):
        features, labels = batch(step, **sizes)
        if gpu:
            with kernels_on_a_cpu():
                loss = head.step(features, labels, align_corners)
                loss.backward()
                answered += head.loss._verification._deferred == []
                head.loss.raise_deferred_errors()
        else:
            loss = head.step(features, labels, align_corners)
            loss.backward()
        found.append([loss.detach(), head.classifier.weight.grad, *head.loss.statistics.moments])
    return found, answered


@pytest.mark.parametrize('options, align_corners, sizes', [
    ({}, True, {}),
    (dict(logit_adjustment=0.5, background=2), False, {}),
    (dict(base=nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0]), ignore_index=IGNORE)), True, {}),
    (dict(base=SoftmaxFocalLoss(class_weight=[1.0, 2.0, 0.5, 3.0, 1.0])), True, {}),
    (dict(base=Hardest()), True, {}),
    pytest.param(dict(label_sampling='nearest'), True, {}, marks=pytest.mark.exhaustive),
    pytest.param({}, True, dict(small=(6, 6), large=(6, 6)), marks=pytest.mark.exhaustive),
])
def test_loss_gradients_and_statistics_equal_those_of_a_cpu(options, align_corners, sizes):
    found, answered = train(Head(**options), 3, True, align_corners, **sizes)
    expected, _ = train(Head(**options), 3, False, align_corners, **sizes)
    assert answered == 3 and kernels._failed == []  # the first one compares a whole image, at once
    assert_close(found, expected, rtol=1e-5, atol=1e-6)


class Samples(Head):
    def __init__(self, classes=40, **options):
        super().__init__(**options)
        self.classifier = nn.Linear(20, classes)

    def step(self, features, labels, align_corners=True):
        self.zero_grad()
        return self.loss(self.classifier(features), labels)


def sample_batch(step, number=9):
    generator = torch.Generator().manual_seed(step)
    features = torch.randn(number, 20, generator=generator) + 2 * step
    labels = torch.randint(40, (number, ), generator=generator)
    labels[:3] = torch.tensor([7, 7, IGNORE])
    return features, torch.stack([labels, labels + 1], dim=1)[:, 0]  # a column


def train_samples(head, steps, gpu):
    attach(head.loss, head.classifier)
    found = []
    for step in range(steps):
        features, labels = sample_batch(step)
        with kernels_on_a_cpu() if gpu else nullcontext():
            loss = head.step(features, labels)
            (3 * loss).backward()
            head.loss.raise_deferred_errors()
        found.append([loss.detach(), head.classifier.weight.grad, *head.loss.statistics.moments])
    return found


@pytest.mark.parametrize('options', [{}, dict(covariance='full'), dict(logit_adjustment=0.5)], ids=str)
def test_samples_have_loss_gradients_and_statistics_of_a_cpu(options, monkeypatch):
    expected = train_samples(Samples(**options), 3, False)
    head, calls = Samples(**options), []
    run = kernel_step.KernelStep._run
    monkeypatch.setattr(kernel_step.KernelStep, '_run', lambda *args: calls.append(0) or run(*args))
    assert_close(train_samples(head, 3, True), expected, rtol=1e-5, atol=1e-6)
    assert len(calls) == 4 and kernels._failed == []  # a comparison and three calls


@pytest.mark.parametrize('make, batch_of', [(Head, batch), (Samples, sample_batch)])
def test_a_copy_continues_with_the_bits_of_the_original(make, batch_of):
    whole = make()
    attach(whole.loss, whole.classifier, align_corners=True)
    heads = [whole]
    for step in range(4):
        if step == 2:
            heads.append(copy.deepcopy(whole))  # its first call compares a whole image, as after a resume
        found = []
        for head in heads:
            with kernels_on_a_cpu():
                loss = head.step(*batch_of(step))
                loss.backward()
            found.append([loss.detach(), head.classifier.weight.grad, *head.loss.statistics.moments])
        assert_close(found[-1], found[0], rtol=0, atol=0)


def test_the_ramp_the_counters_and_copies_work_as_on_a_cpu():
    head = Head(lambda_0=2.0, total_steps=4)
    head, twin = copy.deepcopy(head), head
    train(head, 2, True)
    train(twin, 2, False)
    other = copy.deepcopy(head)
    attach(other.loss, other.classifier, align_corners=True)
    assert head.loss.strength == twin.loss.strength == 1.0
    with kernels_on_a_cpu():
        losses = [each.step(*batch(2)) for each in (head, other)]
    assert_close(losses[0], losses[1])
    assert_close(losses[0], twin.step(*batch(2)))
    assert head.loss.strength == twin.loss.strength == 1.5


def test_features_that_are_not_finite_are_dropped_and_counted():
    heads = Head(), Head()
    for head, gpu in zip(heads, (True, False), strict=True):
        train(head, 2, gpu)
    features, labels = batch(2)
    logits = [resize(head.classifier(features), LARGE, True) for head in heads]
    for head in heads:
        bad = features.clone()
        bad[0, 1, 0, 1], bad[1, 0, 2, 0] = float('nan'), float('inf')
        head.loss.captured._last = {True: (bad, head.classifier)}
    with kernels_on_a_cpu():
        one = heads[0].loss(logits[0], labels)
    heads[1].loss._verification.step = 10 ** 6  # another position: one with NaN would not be comparable
    other = heads[1].loss(logits[1], labels)
    assert_close(one, other)
    assert int(heads[0].loss.statistics.dropped) == int(heads[1].loss.statistics.dropped) > 0
    assert_close(heads[0].loss.statistics.moments, heads[1].loss.statistics.moments)


def test_invalid_labels_raise_a_deferred_error_and_count_as_ignored():
    head = Head()
    train(head, 2, True)
    features, labels = batch(2)
    labels[0, 0, :2] = torch.tensor([7, -3])
    with kernels_on_a_cpu():
        head.step(features, labels)
        with pytest.raises(ValueError, match=r'labels such as -3 and 7 are neither one of the 5 classes \(0..4\) nor '
                                             r'the ignore index \(255\)'):
            head.loss.raise_deferred_errors()
        head.loss.raise_deferred_errors()  # only once
    assert int(head.loss.statistics.count.sum()) > 0


def test_logits_of_another_pass_raise_a_deferred_error():
    head = Head()
    train(head, 2, True)
    features, labels = batch(2)
    with kernels_on_a_cpu():
        logits = resize(head.classifier(features), LARGE, True)
        head.classifier(torch.randn_like(features))
        head.loss(logits, labels)
        with pytest.raises(RuntimeError, match='features captured in the last forward pass .* do not give the logits'):
            head.loss.raise_deferred_errors()


@pytest.mark.parametrize('wrong', ['moments', 'exception'])
def test_kernels_that_fail_or_differ_are_replaced_with_one_warning(wrong, monkeypatch):
    def broken(*arguments):
        if wrong == 'exception':
            raise RuntimeError('no such instruction')
        return tuple(1.01 * part for part in moments(*arguments))

    expected, _ = train(Head(), 2, False)
    with kernels_on_a_cpu():
        maps = kernels.kernels_of(torch.empty(1, 5, 2, 2))
    moments = maps.operators.split_moments
    monkeypatch.setattr(maps.operators, 'split_moments', broken)
    head = Head()
    attach(head.loss, head.classifier, align_corners=True)
    with kernels_on_a_cpu():
        message = 'a result differs from that of PyTorch by' if wrong == 'moments' else 'no such instruction'
        with pytest.warns(UserWarning, match=f'the GPU kernels of ISDA failed. .*{message}'):
            loss = head.step(*batch(0))
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            head.step(*batch(1))
        assert len(kernels._failed) == 1
    assert_close(loss.detach(), expected[0][0])


@pytest.mark.parametrize('covariance', ['diagonal', 'full'])
def test_kernels_that_do_not_compile_are_replaced_at_the_first_step(covariance, monkeypatch):
    def broken(*arguments):
        raise RuntimeError('Failed to find C compiler')

    with kernels_on_a_cpu():
        functions = kernels.kernels_of(torch.empty(1, 5, 2, 2))
    monkeypatch.setattr(functions.operators, 'gradient', broken)
    expected, _ = train(Head(covariance=covariance), 2, False)
    head = Head(covariance=covariance)
    attach(head.loss, head.classifier, align_corners=True)
    with kernels_on_a_cpu():
        with pytest.warns(UserWarning, match='the GPU kernels of ISDA failed. .*Failed to find C compiler'):
            losses = [head.step(*batch(0))]
        losses.append(head.step(*batch(1)))
    assert_close([loss.detach() for loss in losses], [step[0] for step in expected])


def test_the_comparison_finds_a_gradient_of_zeros(monkeypatch):
    with kernels_on_a_cpu():
        functions = kernels.kernels_of(torch.empty(1, 5, 2, 2))
    gradient = functions.operators.gradient
    monkeypatch.setattr(functions.operators, 'gradient', lambda logits, *rest: (
        gradient(logits, *rest) if logits.shape[1] != 5 else
        tuple(0 * part for part in gradient(logits, *rest))))  # the small comparison has 3 classes
    head = Head()
    attach(head.loss, head.classifier, align_corners=True)
    with kernels_on_a_cpu():
        with pytest.warns(UserWarning, match='a result differs from that of PyTorch by'):
            head.step(*batch(0))
        assert [type(error) for error in kernels._failed] == [ArithmeticError]


def divided(loss, statistics):
    loss /= 4


def overwritten(loss, statistics):
    statistics.covariance.copy_(torch.rand(5, 20))  # as DistributedDataParallel does


@pytest.mark.parametrize('change, factor', [(divided, 0.25), (overwritten, 1.0)])
def test_the_loss_or_covariance_may_change_in_place_before_backward(change, factor):
    head, twin = Head(), Head()
    train(head, 2, True)
    train(twin, 2, False)
    with kernels_on_a_cpu():
        loss = head.step(*batch(2))
        change(loss, head.loss.statistics)
        loss.backward()
    (factor * twin.step(*batch(2))).backward()
    assert_close(head.classifier.weight.grad, twin.classifier.weight.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('options', [dict(covariance='full'), dict(resolution='feature'), dict(samples=2),
                                     dict(raise_at_once=True)])
def test_settings_without_kernels_take_the_operators_of_pytorch(options, monkeypatch):
    def refused(*_):
        raise AssertionError

    monkeypatch.setattr(kernel_step.KernelStep, '_run', refused)
    found, _ = train(Head(**options), 2, True)
    assert_close(found[1][2], train(Head(**options), 2, False)[0][1][2])


def test_a_base_loss_may_change_its_labels_in_place():
    class Changes(Hardest):
        def forward(self, logits, labels, ignore_index=-100):
            labels[labels == ignore_index] = 0
            return super().forward(logits, labels)

    found, answered = train(Head(base=Changes()), 3, True)
    assert answered == 3
    assert_close(found, train(Head(base=Changes()), 3, False)[0], rtol=1e-5, atol=1e-6)


def test_the_comparison_works_inside_gradient_checkpointing():
    torch.manual_seed(0)
    logits, weight = torch.randn(1, 5, 4, 4, requires_grad=True), torch.randn(5, 3)
    labels, covariance = torch.randint(5, (1, 4, 4)), torch.rand(5, 3)

    def loss(z):
        return isda_cross_entropy(z, labels, weight, covariance, 1.0)

    with kernels_on_a_cpu():
        checkpoint(loss, logits, use_reentrant=False).backward()
    found, = torch.autograd.grad(loss(logits), logits)
    assert_close(logits.grad, found)


def focal_with_learned_weights():
    base = SoftmaxFocalLoss(1)
    base.class_weight = torch.linspace(1, 2, 40).requires_grad_()
    return base


@pytest.mark.parametrize('base', [nn.CrossEntropyLoss(torch.linspace(1, 2, 80).view(40, 2)[:, 0], ignore_index=IGNORE),
                                  focal_with_learned_weights()], ids=['a column', 'learned'])
def test_samples_with_class_weights_have_the_results_of_a_cpu(base):
    found = train_samples(Samples(base=base), 3, True)
    assert_close(found, train_samples(Samples(base=base), 3, False), rtol=1e-5, atol=1e-6)
    assert kernels._failed == []


def test_a_base_loss_that_raises_leaves_statistics_and_counts_as_they_were():
    head = Head(base=Hardest())
    train(head, 2, True)
    before = copy.deepcopy(head.loss.statistics.state_dict())
    features, labels = batch(2)
    features[0, 0, 0, 0] = float('nan')
    head.loss.base.forward = lambda *args, **kwargs: 1 / 0
    with kernels_on_a_cpu(), pytest.raises(ZeroDivisionError):
        head.step(features, labels)
    after = head.loss.statistics.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert int(head.loss.statistics.dropped) == 0


def of_ranks(rank, folder):
    head = Head()
    attach(head.loss, head.classifier, align_corners=True)
    for step in range(2):
        features, labels = batch(step, images=4)
        part = slice(2 * rank, 2 * rank + 2)
        with kernels_on_a_cpu():
            head.step(features[part], labels[part])
    return (*head.loss.statistics.moments, len(kernels._failed))


def samples_of_ranks(rank, folder):
    head = Samples(covariance='full')
    attach(head.loss, head.classifier)
    for step in range(2):
        features, labels = sample_batch(step)
        part = slice(5) if rank == 0 else slice(5, 9)  # one sample of padding
        with kernels_on_a_cpu():
            head.step(features[part], labels[part])
    return (*head.loss.statistics.moments, len(kernels._failed))


@pytest.mark.exhaustive
@pytest.mark.parametrize('ranks, train_one', [
    (of_ranks, lambda: train(Head(), 2, False, images=4)[0]),
    (samples_of_ranks, lambda: train_samples(Samples(covariance='full'), 2, False))], ids=['maps', 'samples'])
def test_two_ranks_have_the_statistics_of_one_process(ranks, train_one, tmp_path):
    one, other = two_ranks(ranks, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True)) and one[3] == 0
    assert_close(list(one[:3]), train_one()[1][2:], rtol=1e-5, atol=1e-6)
