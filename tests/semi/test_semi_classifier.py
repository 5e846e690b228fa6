"""SemiClassifier: Eq. 19 term by term, and the observed features."""
import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.tiny_semi import CLASSES, Backbone, images, softmax
from mmengine.registry import MODELS
from torch import nn
from torch.testing import assert_close

import isda_seg.losses  # noqa: F401  registers ISDALoss
import isda_seg.semi  # noqa: F401  registers the methods
from isda_seg.attach import attach
from isda_seg.openmmlab.pairs import find_pairs
from isda_seg.semi.classifier import SemiClassifier
from isda_seg.semi.method import Method

METHODS = [dict(type='PiModel'), dict(type='TemporalEnsembling', ramp_epochs=4), dict(type='MeanTeacher'),
           dict(type='VAT')]
LOSS = dict(type='ISDALoss', lambda_0=0.5, covariance='full')
STRENGTH = 0.4


@MODELS.register_module()
class TinyBackbone(Backbone):
    pass


def classifier(method, loss=LOSS, epoch=2.0, **keys):
    """Four classes; ISDA attached as ISDAHook does it, method prepared as SemiHook does it."""
    torch.manual_seed(0)
    model = SemiClassifier(dict(type='TinyBackbone', dropout=0.0), CLASSES, method, loss=loss, **keys)
    for pair in find_pairs(model):
        attach(pair.loss, pair.classifier)
        pair.loss.strength = STRENGTH
    model.method.prepare(10, CLASSES)
    model.method.start(model)
    model.method.epoch = epoch
    return model.train()


def batch(model, seed=1):
    labels = torch.tensor([0, 1, 2, 3, 1, 1, 2, 0])
    return images(8, seed), labels, dict(views=[images(6, seed + i) for i in (10, 20)][:model.method.views],
                                         index=torch.tensor([4, 1, 9, 0, 2, 7]))


def entering(model):
    """What enters fc, pass by pass."""
    found = []
    model.fc.register_forward_pre_hook(lambda module, inputs: found.append(inputs[0].detach()))
    return found


@pytest.mark.parametrize('method', METHODS, ids=lambda method: method['type'])
def test_the_loss_is_eq_19_term_by_term(method):
    model = classifier(method, eta_1=0.5)
    entered, (inputs, labels, unlabelled) = entering(model), batch(model)
    torch.manual_seed(1)
    losses = model(inputs, labels, unlabelled, mode='loss')
    weight, bias = (parameter.detach().double() for parameter in model.fc.parameters())
    moments = reference.batch_moments(entered[0], labels, CLASSES)
    supervised = reference.isda_cross_entropy(F.linear(entered[0].double(), weight, bias), labels, weight, moments[2],
                                              STRENGTH).mean()
    assert_close(losses['loss'].double(), supervised, rtol=1e-5, atol=1e-6)
    logits = F.linear(entered[1].double(), weight, bias)
    bound = reference.isda_consistency(logits, weight, moments[2], STRENGTH, logits.softmax(1)).mean()
    assert_close(losses['loss_isda_unlabelled'].double(), 0.5 * bound, rtol=1e-5, atol=1e-6)
    assert_close(losses['isda_divergence'].double(), bound - reference.entropy(logits.softmax(1)).mean(), rtol=1e-4,
                 atol=1e-6)
    torch.manual_seed(1)
    again = classifier(method)
    torch.manual_seed(1)
    _, term = again.method(again, unlabelled)
    expected = {'PiModel': 100 * np.exp(-5 * 0.98 ** 2), 'MeanTeacher': 100 * np.exp(-5 * 0.98 ** 2), 'VAT': 1.0,
                'TemporalEnsembling': 30 * np.exp(-1.25)}[method['type']] * term.item()
    if method['type'] in ('PiModel', 'TemporalEnsembling'):  # by hand too
        other = softmax(F.linear(entered[2].double(), weight, bias)) if method['type'] == 'PiModel' else 0
        value = ((softmax(logits) - other) ** 2).mean()
        assert_close(term.item(), value, rtol=1e-5, atol=1e-8)
    assert_close(losses['loss_unlabelled'].item(), expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize('method', METHODS, ids=lambda method: method['type'])
def test_without_isda_the_loss_is_cross_entropy_without_a_bound(method):
    model = classifier(method, loss=None)
    entered, (inputs, labels, unlabelled) = entering(model), batch(model)
    losses = model(inputs, labels, unlabelled, mode='loss')
    assert sorted(losses) == ['accuracy', 'loss', 'loss_unlabelled']
    assert_close(losses['loss'], F.cross_entropy(model.fc(entered[0]), labels))


@pytest.mark.parametrize('method', METHODS, ids=lambda method: method['type'])
def test_only_labelled_features_of_the_student_are_observed(method):
    model = classifier(method, eta_1=1.0)
    entered, seen = entering(model), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for seed in (1, 2, 3):
        inputs, labels, unlabelled = batch(model, seed)
        del entered[:]
        sum(value for key, value in model(inputs, labels, unlabelled, mode='loss').items() if 'loss' in key).backward()
        seen.append((entered[0], labels))
        optimizer.step()
        model.method.after_step(model)
    everything = reference.batch_moments(*(torch.cat(part) for part in zip(*seen, strict=True)), CLASSES)
    assert torch.equal(model.loss.statistics.count, everything[0])
    assert_close(model.loss.statistics.mean.double(), everything[1], rtol=1e-5, atol=1e-6)
    assert_close(model.loss.statistics.covariance.double(), everything[2], rtol=1e-4, atol=1e-5)


def test_bound_without_isda_is_an_error():
    with pytest.raises(ValueError, match='eta_1 = 1.0 is the weight of an ISDA term. Enable ISDA with default_hooks'):
        classifier(METHODS[0], loss=None, eta_1=1.0).check_eta_1()
    with pytest.raises(ValueError, match='eta_1 must be >= 0, got -1.0'):
        classifier(METHODS[0], eta_1=-1.0)
    assert classifier(METHODS[0], eta_1=1.0).check_eta_1() is None


def test_prediction_comes_from_the_method():
    @MODELS.register_module()
    class Other(Method):
        def predict(self, student, images):
            return -student(images)

    model = classifier(dict(type='Other', eta_2=1.0, ramp_epochs=0)).eval()
    found, = model(images(), torch.arange(6), mode='predict')
    assert torch.equal(found['logits'], -model(images())) and found['labels'].tolist() == list(range(6))
    assert isinstance(model, nn.Module)
