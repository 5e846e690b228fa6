"""Properties of Mean Teacher: decay, separate passes of the teacher, prediction."""
import copy

import numpy as np
import pytest
import torch
from helpers import state_invariants
from helpers.tiny_semi import Backbone, images, softmax
from torch import nn
from torch.testing import assert_close

from isda_seg.classification.classifier import classify
from isda_seg.semi.mean_teacher import MeanTeacher


class Model(nn.Module):
    """Minimal SemiClassifier as seen by its method."""

    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.fc = Backbone(dropout), nn.Linear(5, 4)
        self.method = MeanTeacher()
        self.method.join(self)

    def forward(self, batch):
        return classify(batch, self.backbone, self.fc)

    def own(self):
        return [*self.backbone.parameters(), *self.fc.parameters()]


def train(model, step):
    """Weights that an optimizer could have made."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in model.own():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))


def test_teacher_is_the_ema_with_the_documented_decay():
    model = Model()
    model.method.start(model)
    mean = [np.zeros(parameter.shape) for parameter in model.own()]
    for step in range(4):
        train(model, step)
        model.method.after_step(model)
        keep = 1 - 1 / (step + 1)
        mean = [keep * m + (1 - keep) * p.detach().numpy() for m, p in zip(mean, model.own(), strict=True)]
        for found, expected in zip(model.method.teacher.parameters(), mean, strict=True):
            assert_close(found.numpy(), expected.astype(np.float32), rtol=1e-5, atol=1e-6)
    model.method.updates.fill_(100_000)
    before = copy.deepcopy(model.method.teacher)
    train(model, 9)
    model.method.after_step(model)
    for found, old, new in zip(model.method.teacher.parameters(), before.parameters(), model.own(), strict=True):
        assert_close(found, 0.999 * old + 0.001 * new.detach(), rtol=1e-5, atol=1e-6)


def test_term_has_no_gradient_for_the_teacher():
    model = Model()
    train(model, 3)  # a student that has left its teacher behind
    views = [images(seed=1), images(seed=2)]
    logits, term = model.method(model, dict(views=views))
    student, teacher = softmax(logits.detach().numpy()), softmax(model.method.teacher(views[1]).numpy())
    assert_close(term.item(), ((student - teacher) ** 2).mean(), rtol=1e-5, atol=1e-7)
    term.backward()
    assert all(parameter.grad is None for parameter in model.method.parameters())
    assert all(parameter.grad.abs().max() > 0 for parameter in model.fc.parameters())


def test_teacher_in_training_uses_dropout_and_batch_statistics():
    model = Model(dropout=0.5).train()
    views = [images(64, seed=1), 3 + 2 * images(64, seed=2)]
    assert model.method.teacher.training
    model.method(model, dict(views=views))
    for network, view in ((model.backbone, views[0]), (model.method.teacher.backbone, views[1])):
        with torch.no_grad():
            entered = network.conv(view)
        assert_close(network.norm.running_mean, 0.1 * entered.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
        assert int(network.norm.num_batches_tracked) == 1
    first, second = (model.method.teacher(views[1]) for _ in range(2))
    assert (first - second).abs().max() > 1e-3


def test_updates_do_not_change_the_teachers_running_statistics():
    model = Model()
    model(10 + images())
    model.method.after_step(model)
    assert torch.equal(model.method.teacher.backbone.norm.running_mean, torch.zeros(5))
    assert model.backbone.norm.running_mean.abs().min() > 0


def test_start_copies_the_student():
    model = Model()
    train(model, 5)
    model.method.updates.fill_(7)
    model.method.start(model)
    pairs = zip(model.method.teacher.parameters(), model.own(), strict=True)
    assert int(model.method.updates) == 0 and all(torch.equal(a, b) for a, b in pairs)


def test_the_teacher_is_tested():
    model = Model().eval()
    train(model, 5)
    assert torch.equal(model.method.predict(model, images()), model.method.teacher(images()))
    assert (model(images()) - model.method.predict(model, images())).abs().max() > 0.1


def test_teacher_and_updates_are_in_the_checkpoint():
    keys = Model().method.state_dict()
    assert 'updates' in keys and 'teacher.backbone.norm.running_mean' in keys and 'teacher.fc.weight' in keys


@pytest.mark.parametrize('invariant', state_invariants.INVARIANTS, ids=state_invariants.name)
def test_state_survives_saving_moving_and_copying(invariant):
    def step(model, number):
        """Student and teacher with separate views: an optimizer updates the student, the EMA the teacher."""
        model.method(model, dict(views=[images(seed=2 * number), images(seed=2 * number + 1)]))
        train(model, number)
        model.method.after_step(model)

    state_invariants.assert_holds(invariant, Model, step)


@pytest.mark.parametrize('decay', [-0.1, 1.0])
def test_decay_outside_0_to_1_is_an_error(decay):
    with pytest.raises(ValueError, match=rf'decay must be in \[0, 1\), got {decay}'):
        MeanTeacher(decay=decay)
