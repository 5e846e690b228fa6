"""Properties of the automatic ramp: equal to a strength set manually, with and without resume."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from isda_seg.attach import attach
from isda_seg.attachment.ramp import Ramp
from isda_seg.core import linear_ramp
from isda_seg.core.ops import device
from isda_seg.criterion import ISDACriterion

LAMBDA_0, STEPS = 7.5, 6


class Run:
    """A classifier in training; each step is `calls` calls of the loss, whose gradients are summed."""

    def __init__(self, calls=1, **kwargs):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
        self.loss, self.calls, self.values = ISDACriterion(**kwargs), calls, []
        attach(self.loss, self.model[-1])
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def train(self, steps, by_hand=False):
        for step in steps:
            for call in range(self.calls):
                generator = torch.Generator().manual_seed(10 * step + call)
                if by_hand:
                    self.loss.strength = linear_ramp(step, STEPS, LAMBDA_0)
                logits = self.model(torch.randn(2, 3, 8, 8, generator=generator))
                loss = self.loss(logits, torch.randint(4, (2, 8, 8), generator=generator))
                loss.backward()
                self.values.append((self.loss.strength, loss.item()))
            self.optimizer.step()
            self.optimizer.zero_grad()
        return self

    def state(self):
        return [*self.model.state_dict().values(), *self.loss.statistics.moments]


def ramping(calls=1):
    return Run(calls, lambda_0=LAMBDA_0, total_steps=STEPS, calls_per_step=calls)


def assert_same_run(run, expected):
    assert run.values == expected.values
    assert all(torch.equal(a, b) for a, b in zip(run.state(), expected.state(), strict=True))


@pytest.mark.parametrize('calls', [1, 3])
def test_an_automatic_ramp_equals_a_manual_one_bitwise(calls):
    run = ramping(calls).train(range(1, STEPS + 3))
    assert_same_run(run, Run(calls).train(range(1, STEPS + 3), by_hand=True))
    assert int(run.loss.ramp.calls) == (STEPS + 2) * calls
    assert [strength for strength, _ in run.values[-2 * calls:]] == [LAMBDA_0] * 2 * calls


def test_resume_is_bitwise_exact():
    first, whole = ramping(2).train(range(1, 3)), ramping(2).train(range(1, STEPS + 1))
    file = io.BytesIO()
    torch.save([part.state_dict() for part in (first.model, first.loss)], file)
    file.seek(0)
    second = ramping(2)
    for part, state in zip((second.model, second.loss), torch.load(file), strict=True):
        part.load_state_dict(state)
    second.values = first.values
    assert_same_run(second.train(range(3, STEPS + 1)), whole)


def test_only_successful_training_calls_count():
    run = ramping().train([1])
    features, labels = torch.randn(2, 3, 8, 8), torch.zeros(2, 8, 8, dtype=torch.int64)
    with torch.no_grad():
        run.loss(run.model(features), labels)
    run.loss.eval()
    run.loss(run.model(features), labels)
    run.loss.train()
    with pytest.raises(ValueError, match='label 4 is neither'):
        run.loss(run.model(features), labels + 4)
    assert int(run.loss.ramp.calls) == 1


def test_copies_and_changed_counts_continue_from_their_value():
    run = ramping().train([1, 2])
    twin = copy.deepcopy(run.loss.ramp)
    run.loss.ramp.calls.fill_(4)
    assert [twin.strength(), run.loss.ramp.strength()] == [linear_ramp(step, STEPS, LAMBDA_0) for step in (3, 5)]
    twin.to(torch.float64).advance()
    assert (int(twin.calls), int(run.loss.ramp.calls)) == (3, 4)


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda loss: pickle.loads(pickle.dumps(loss))])
@pytest.mark.parametrize('on_a_device', [False, True])
@pytest.mark.parametrize('made', range(1, 6))
def test_a_copy_that_loads_a_state_continues_from_the_loaded_count(made, on_a_device, copied, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', () if on_a_device else ('cpu',))
    ramp = Ramp(LAMBDA_0, STEPS)
    for _ in range(made):
        ramp.advance()
    for loads in range(1, 7):  # the version of the copied buffer passes that of the original
        twin = copied(ramp)
        for _ in range(loads):
            twin.load_state_dict({'calls': torch.tensor(4)})
        assert (twin.advance(), int(twin.calls)) == (linear_ramp(5, STEPS, LAMBDA_0), 5)
    assert (ramp.advance(), int(ramp.calls)) == (linear_ramp(made + 1, STEPS, LAMBDA_0), made + 1)


def test_a_count_written_past_autograd_is_read():
    ramp = Ramp(LAMBDA_0, STEPS)
    ramp.advance()
    ramp.calls.data.fill_(3)  # does not change the version of the buffer
    assert ramp.advance() == linear_ramp(4, STEPS, LAMBDA_0)


def test_statistics_without_a_ramp_load_with_a_warning():
    run, old = ramping().train([1]), Run().train([1, 2], by_hand=True)
    with pytest.warns(UserWarning, match=r'no ramp.calls, so the ramp continues from call 1. .*loss.ramp.calls'):
        assert run.loss.load_state_dict(old.loss.state_dict()).missing_keys == []
    assert (int(run.loss.ramp.calls), int(run.loss.statistics.count.sum())) == (1, 2 * 2 * 64)


def test_fresh_statistics_restart_the_ramp():
    state = ramping().train([1, 2]).loss.state_dict()
    fresh = Run(lambda_0=LAMBDA_0, total_steps=STEPS, load_statistics=False)
    fresh.loss.load_state_dict(state)
    assert (int(fresh.loss.ramp.calls), int(state['ramp.calls'])) == (0, 2)


@pytest.mark.parametrize('wrong, words', [
    (dict(lambda_0=7.5), 'got lambda_0=7.5 and total_steps=None: give both'),
    (dict(total_steps=10), 'got lambda_0=None and total_steps=10: give both'),
    (dict(lambda_0=-1.0, total_steps=10), 'lambda_0 must be a finite number >= 0, got -1.0'),
    (dict(lambda_0=7.5, total_steps=0), 'total_steps must be a positive integer, got 0'),
    (dict(lambda_0=7.5, total_steps=2.5), 'total_steps must be a positive integer, got 2.5'),
    (dict(lambda_0=7.5, total_steps=9, calls_per_step=0), 'calls_per_step must be a positive integer, got 0'),
    (dict(calls_per_step=2), 'calls_per_step=2 requires lambda_0 and total_steps'),
])
def test_an_incomplete_ramp_is_an_error(wrong, words):
    with pytest.raises(ValueError, match=words):
        ISDACriterion(**wrong)
