"""Properties shared by the base methods: the weight eta_2."""
import math

import pytest
import torch
from helpers.tiny_semi import Linear, images

from isda_seg.semi.mean_teacher import MeanTeacher
from isda_seg.semi.method import Method, sigmoid_ramp
from isda_seg.semi.pi_model import PiModel
from isda_seg.semi.temporal_ensembling import TemporalEnsembling
from isda_seg.semi.vat import VAT


def at(method, epoch):
    method.epoch = epoch
    return method.weight


@pytest.mark.parametrize('method, final', [(PiModel(), 100), (MeanTeacher(), 100), (TemporalEnsembling(), 30)])
def test_eta_2_ramps_up_over_100_epochs(method, final):
    assert at(method, 50) == final * math.exp(-1.25)
    assert at(method, 100) == at(method, 399.5) == final


def test_vat_has_no_ramp():
    assert at(VAT(), 0.0) == at(VAT(), 399.0) == 1.0


def test_without_the_hook_the_weight_is_an_error():
    with pytest.raises(RuntimeError, match="the epoch of VAT is not set.*SemiHook"):
        VAT().weight  # noqa: B018


@pytest.mark.parametrize('kind', [PiModel, MeanTeacher, TemporalEnsembling, VAT])
def test_eta_2_and_its_ramp_are_not_negative(kind):
    with pytest.raises(ValueError, match='eta_2 must be >= 0, got -1'):
        kind(eta_2=-1)
    with pytest.raises(ValueError, match='ramp_epochs and the epoch must be >= 0, got -5 and 0'):
        kind(ramp_epochs=-5)


def test_default_prediction_is_that_of_the_student():
    student, batch = Linear(), images()
    assert torch.equal(Method(1.0, 0).predict(student, batch), student(batch))


def test_ramp_increases_from_exp_minus_5_to_1():
    assert [sigmoid_ramp(epoch, 80) for epoch in (0, 40, 60, 80, 300)] == [
        math.exp(-5), math.exp(-1.25), math.exp(-0.3125), 1.0, 1.0]


def test_ramp_of_length_0_is_1():
    assert sigmoid_ramp(0, 0) == sigmoid_ramp(7.5, 0) == 1.0


@pytest.mark.parametrize('epoch, length', [(-1, 80), (1, -80)])
def test_negative_ramp_is_an_error(epoch, length):
    with pytest.raises(ValueError, match=f'must be >= 0, got {length} and {epoch}'):
        sigmoid_ramp(epoch, length)
